import { textFromBase64 } from "../util/bytes.ts";
import { messageOf, WorkflowError } from "../util/errors.ts";

/** The first characters of a text are enough to see what it is. */
const MAX_EXCERPT = 120;

/** @param problem what is wrong with the text */
export function malformed(what: string, problem: string, text: string, cause?: unknown): WorkflowError {
  const excerpt = text.length > MAX_EXCERPT ? `${text.slice(0, MAX_EXCERPT)}…` : text;
  return new WorkflowError("malformed_body", `${what} ${problem}: ${excerpt}`, { cause });
}

/** @throws WorkflowError `malformed_body` when the text isn't JSON */
export function parseJson(what: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw malformed(what, `isn't JSON (${messageOf(cause)})`, json, cause);
  }
}

/** What the engine brings as the end of a request. @throws WorkflowError `malformed_body` when there is no status in it */
export function parseCallback<Body>(what: string, json: string): Body & { readonly status: number } {
  const body = Object(parseJson(what, json));
  if (typeof body.status !== "number") throw malformed(what, "needs a numeric status", json);
  return body;
}

/** @throws WorkflowError `malformed_body` when the text isn't base64 */
export function parseBase64(
  base64: unknown,
  what: string,
  read: (base64: string) => string = textFromBase64,
): string {
  try {
    if (typeof base64 === "string") return read(base64);
  } catch (cause) {
    throw malformed(what, "isn't base64", base64 as string, cause);
  }
  throw malformed(what, "isn't a text", JSON.stringify(base64));
}
