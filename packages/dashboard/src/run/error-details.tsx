import type { ErrorInfo } from "../api/types.ts";
import { Block, Line } from "../ui/text.tsx";
import { causesOf, nameOf } from "./error-info.ts";

/** An error: its class, message, stack, and the chain of its causes. */
export function ErrorDetails({ error }: { readonly error: ErrorInfo }) {
  return (
    <div class="error-details">
      <p class="error-head">
        <strong>
          <Line text={nameOf(error)} mono />
        </strong>{" "}
        <Line text={error.message} />
      </p>
      {causesOf(error).map((cause, at) => (
        <div key={`${cause.message}-${at}`} class="cause">
          <p class="error-head">
            <span class="muted">caused by</span>{" "}
            <strong>
              <Line text={nameOf(cause)} mono />
            </strong>{" "}
            <Line text={cause.message} />
          </p>
          <Stack stack={cause.stack} />
        </div>
      ))}
      <Stack stack={error.stack} />
    </div>
  );
}

function Stack({ stack }: { readonly stack: string | undefined }) {
  if (!stack) return null;
  return (
    <details class="stack">
      <summary>Stack</summary>
      <Block text={stack} />
    </details>
  );
}
