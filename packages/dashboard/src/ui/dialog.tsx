import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "./icon.tsx";

const open = signal<(() => ComponentChildren) | undefined>(undefined);

/** Shows a dialog. Its content closes it with {@link closeDialog}. */
export function openDialog(content: () => ComponentChildren): void {
  open.value = content;
}

export function closeDialog(): void {
  open.value = undefined;
}

/** The place of the open dialog. The browser's own element keeps the focus inside, and closes on Escape. */
export function DialogHost() {
  const Content = open.value;
  return Content ? <Shown>{Content()}</Shown> : null;
}

function Shown({ children }: { readonly children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    // A click beside the dialog closes it, where the browser knows this attribute.
    ref.current?.setAttribute("closedby", "any");
    ref.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={ref} aria-labelledby="dialog-title" onClose={closeDialog}>
      <div class="dialog">{children}</div>
    </dialog>
  );
}

export function DialogHead({ title }: { readonly title: string }) {
  return (
    <header class="dialog-head">
      <h2 id="dialog-title">{title}</h2>
      <button type="button" class="icon-button" aria-label="Close" onClick={closeDialog}>
        <Icon name="cross" />
      </button>
    </header>
  );
}

interface FieldProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly error?: string | undefined;
  readonly children: (id: string) => ComponentChildren;
}

/** A label with its input. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id)}
      {hint !== undefined && <p class="hint">{hint}</p>}
      {error !== undefined && (
        <p class="field-error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
