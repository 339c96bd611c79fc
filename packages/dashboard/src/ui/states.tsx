import type { ComponentChildren } from "preact";
import type { ApiError } from "../api/http.ts";
import type { Resource } from "../api/resource.ts";
import { visible } from "../format/text.ts";
import { Button } from "./button.tsx";
import { Icon, type IconName } from "./icon.tsx";

/** The rows of a list that hasn't loaded yet. */
export function Skeleton({ rows = 6 }: { readonly rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, at) => (
        <div key={at} class="bone" />
      ))}
    </div>
  );
}

export interface EmptyProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
}

/** A list without entries: what would be here, and how it comes here. */
export function Empty({ icon, title, children }: EmptyProps) {
  return (
    <div class="empty">
      <Icon name={icon} size={28} />
      <h2>{title}</h2>
      <div class="muted">{children}</div>
    </div>
  );
}

export function ErrorBox({ error, retry }: { readonly error: ApiError; readonly retry: () => void }) {
  return (
    <div class="error-box" role="alert">
      <Icon name="alert" size={20} />
      <div>
        <strong>{error.status === 404 ? "Not found" : "This didn't load"}</strong>
        <p>{visible(error.message)}</p>
      </div>
      <Button icon="retry" onClick={retry}>
        Try again
      </Button>
    </div>
  );
}

interface LoadedProps<Data> {
  readonly of: Resource<Data>;
  readonly children: (data: Data) => ComponentChildren;
  readonly rows?: number;
}

/** The content of a resource, or why it isn't there. An error while it loads again stands above the old content. */
export function Loaded<Data>({ of: { data, error, reload }, children, rows = 6 }: LoadedProps<Data>) {
  return (
    <>
      {error && <ErrorBox error={error} retry={reload} />}
      {data === undefined ? !error && <Skeleton rows={rows} /> : children(data)}
    </>
  );
}
