import { textFromBase64 } from "../util/bytes.ts";
import { messageOf, WorkflowError } from "../util/errors.ts";

/** Characters of a malformed string in the error's message. */
const MAX_EXCERPT = 120;

/** @param problem the predicate of the error's sentence, after the subject */
export function malformed(subject: string, problem: string, input: string, cause?: unknown): WorkflowError {
  const excerpt = input.length > MAX_EXCERPT ? `${input.slice(0, MAX_EXCERPT)}…` : input;
  return new WorkflowError("malformed_body", `${subject} ${problem}: ${excerpt}`, { cause });
}

/** @throws WorkflowError `malformed_body` when the string isn't JSON */
export function parseJson(subject: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw malformed(subject, `isn't JSON (${messageOf(cause)})`, json, cause);
  }
}

/** Parses the body of a callback. @throws WorkflowError `malformed_body` when it has no status */
export function parseCallback<Body>(subject: string, json: string): Body & { readonly status: number } {
  const body = Object(parseJson(subject, json));
  if (typeof body.status !== "number") throw malformed(subject, "needs a numeric status", json);
  return body;
}

/** @throws WorkflowError `malformed_body` when the value isn't base64 */
export function parseBase64(
  base64: unknown,
  subject: string,
  read: (base64: string) => string = textFromBase64,
): string {
  try {
    if (typeof base64 === "string") return read(base64);
  } catch (cause) {
    throw malformed(subject, "isn't base64", base64 as string, cause);
  }
  throw malformed(subject, "isn't a string", JSON.stringify(base64));
}
