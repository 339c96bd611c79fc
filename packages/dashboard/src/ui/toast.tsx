import { signal } from "@preact/signals";
import { Icon } from "./icon.tsx";
import { Link } from "./link.tsx";

interface Toast {
  readonly text: string;
  readonly isError?: boolean;
  /** A page about the result. */
  readonly to?: string;
  readonly toLabel?: string;
}

const toasts = signal<readonly (Toast & { readonly id: number })[]>([]);
let ids = 0;

/** Says for some seconds what came of an action. */
export function toast(one: Toast): void {
  const id = ++ids;
  toasts.value = [...toasts.value.slice(-2), { ...one, id }];
  setTimeout(() => dismiss(id), one.isError ? 12_000 : 6000);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, isError, to, toLabel }) => (
        <div key={id} class={`toast ${isError ? "is-error" : ""}`}>
          <Icon name={isError ? "alert" : "check"} />
          <span>{text}</span>
          {to !== undefined && <Link to={to}>{toLabel ?? "Open"}</Link>}
          <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <Icon name="cross" />
          </button>
        </div>
      ))}
    </div>
  );
}
