import type { Headers } from "../api/types.ts";
import { plural, visible } from "../format/text.ts";

/** Headers as a folded table. */
export function HeadersView({
  headers,
  label,
}: {
  readonly headers: Headers | undefined;
  readonly label: string;
}) {
  const entries = Object.entries(headers ?? {});
  if (entries.length === 0) return null;
  return (
    <details class="headers">
      <summary>
        {label} <span class="muted">{plural(entries.length, "header")}</span>
      </summary>
      <dl class="pairs">
        {entries.map(([name, values]) => (
          <div key={name}>
            <dt>{visible(name)}</dt>
            <dd>
              <bdi>{visible(values.join(", "))}</bdi>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
