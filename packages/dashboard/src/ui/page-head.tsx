import type { ComponentChildren } from "preact";

interface PageHeadProps {
  readonly title: string;
  readonly text?: string;
  readonly children?: ComponentChildren;
}

export function PageHead({ title, text, children }: PageHeadProps) {
  return (
    <header class="page-head">
      <div>
        <h1>{title}</h1>
        {text !== undefined && <p class="muted">{text}</p>}
      </div>
      <div class="page-buttons">{children}</div>
    </header>
  );
}
