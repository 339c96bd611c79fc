import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { canAct } from "../api/session.ts";
import { Icon, type IconName } from "./icon.tsx";

export interface ButtonProps {
  readonly children: ComponentChildren;
  readonly onClick: () => void | Promise<void>;
  readonly icon?: IconName | undefined;
  readonly look?: "primary" | "danger" | "plain" | undefined;
  readonly disabled?: boolean | undefined;
  readonly title?: string | undefined;
  readonly small?: boolean | undefined;
}

/** A button that changes something in the engine. It is off for tokens that only read. */
export function ActionButton({ disabled = false, title, ...rest }: ButtonProps) {
  const refusal = canAct.value ? undefined : "This token may only read";
  return <Button {...rest} disabled={disabled || refusal !== undefined} title={refusal ?? title} />;
}

/** A button. It is busy until `onClick` has ended. */
export function Button({ children, onClick, icon, look = "plain", disabled, title, small }: ButtonProps) {
  const [busy, setBusy] = useState(false);
  const click = async (): Promise<void> => {
    setBusy(true);
    try {
      await onClick();
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      class={`button is-${look} ${small ? "is-small" : ""}`}
      disabled={disabled === true || busy}
      aria-busy={busy}
      title={title}
      onClick={click}
    >
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  );
}
