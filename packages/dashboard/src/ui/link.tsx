import type { ComponentChildren } from "preact";
import { hrefOf, navigate } from "../router.ts";

export interface LinkProps {
  readonly to: string;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly title?: string;
  readonly current?: boolean;
  /** The arrow keys move among such links. */
  readonly row?: boolean;
}

/** A link to a page of the dashboard. The browser's own ways to open it in a new tab still work. */
export function Link({ to, children, class: name, title, current = false, row }: LinkProps) {
  return (
    <a
      href={hrefOf(to)}
      class={name}
      title={title}
      data-row={row}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}
