import { signal } from "@preact/signals";
import { type ComponentChildren, cloneElement, type JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "./icon.tsx";
import { Toasts } from "./toast.tsx";

const open = signal<(() => ComponentChildren) | undefined>(undefined);

/** Shows a dialog. Its content closes it with {@link closeDialog}. */
export function openDialog(content: () => ComponentChildren): void {
  open.value = content;
}

export function closeDialog(): void {
  open.value = undefined;
}

/**
 * The place of the open dialog, and of toasts. The browser's own element keeps the focus inside, and closes on Escape. What
 * stands outside of it can't be read or used meanwhile, so the toasts stand inside.
 */
export function DialogHost() {
  const Content = open.value;
  return Content ? <Shown>{Content()}</Shown> : <Toasts />;
}

function Shown({ children }: { readonly children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    const dialog = ref.current;
    // A click beside the dialog closes it, where the browser knows this attribute.
    dialog?.setAttribute("closedby", "any");
    dialog?.showModal();
    return () => {
      // Nothing outside of an open dialog can have the focus.
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  // As in a form, Enter in a line is the main button. In several lines it begins a new one.
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.isComposing || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault();
    ref.current?.querySelector<HTMLButtonElement>(".dialog-foot .is-primary")?.click();
  };
  return (
    <dialog
      ref={ref}
      aria-labelledby="dialog-title"
      onClose={() => ref.current && closeDialog()}
      onKeyDown={onKeyDown}
    >
      <div class="dialog">{children}</div>
      <Toasts />
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
  readonly children: (id: string) => JSX.Element;
}

/** A label with its input. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const described = [hint !== undefined && `${id}-hint`, error !== undefined && `${id}-error`].filter(
    Boolean,
  );
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {cloneElement(children(id), {
        "aria-describedby": described.join(" ") || undefined,
        "aria-invalid": error === undefined ? undefined : true,
      })}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error !== undefined && (
        <p class="field-error" id={`${id}-error`} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
