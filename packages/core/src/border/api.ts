import { utf8 } from "../kernel/bytes.ts";
import { checkText, isList } from "../kernel/check.ts";
import { messageOf, WorkflowError } from "../kernel/errors.ts";
import { parseLeniently } from "../kernel/json.ts";
import { type Http, type HttpRequest, type Query, statusOf } from "./http.ts";

interface Ask extends Pick<HttpRequest, "method"> {
  /** Segments behind `/v2`. */
  readonly path: readonly string[];
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null | undefined;
  /** The answer has no JSON to read. */
  readonly empty?: boolean;
  /** Part of a run, as a refusal names it: what the engine refuses of it is refused for good. */
  readonly subject?: string | undefined;
}

/**
 * A request to the engine's API.
 *
 * @throws TypeError for settings that can't be used
 * @throws WorkflowError `engine_unreachable`, `engine_refused`, or `quota_exceeded`; `step_refused` for a `subject`
 */
export async function ask<Answer>(
  http: Http,
  { method, path, query = {}, headers, body = null, empty = false, subject }: Ask,
): Promise<Answer> {
  // It would match nothing, or everything.
  for (const [name, value] of Object.entries(query))
    if (isList(value) && value.length === 0)
      throw new TypeError(`The filter ${name} must not be an empty list.`);
  http.check?.();
  try {
    return await http.request<Answer>({
      path: ["v2", ...path],
      method,
      parseResponseAsJson: !empty,
      // Nobody changes its lists: only the type of the official client could.
      query: query as HttpRequest["query"],
      headers: { ...headers },
      body,
    });
  } catch (cause) {
    const status = statusOf(cause);
    if (subject !== undefined && status !== undefined && status in REMEDIES)
      throw refusal(subject, body, status, cause);
    const code =
      status === undefined ? "engine_unreachable" : status === 412 ? "quota_exceeded" : "engine_refused";
    const said = status === undefined ? "can't be reached for" : `answers ${status} to`;
    const message = `The engine ${said} ${method} /v2/${path.join("/")}: ${messageOf(cause)}`;
    throw new WorkflowError(code, message, { cause });
  }
}

/** What to do about each status with which an engine refuses for good: sent again, the request would be refused again. */
const REMEDIES: Readonly<Record<number, string>> = {
  400: "Change what the workflow asks for.",
  401: "Set QSTASH_TOKEN to a token of this engine, and QSTASH_URL to its address.",
  403: "Set QSTASH_TOKEN to a token that may do this.",
  412: "Ask for less, or raise the engine's limit.",
  413: "Store the data elsewhere and pass on where it is, or raise the engine's limit.",
  414: "Shorten the ids in it.",
  422: "Change what the workflow asks for.",
  431: "Shorten the ids and headers in it.",
};

function refusal(subject: string, body: string | null, status: number, cause: unknown): WorkflowError {
  const said = messageOf(cause);
  const { error = said } = Object(parseLeniently(said));
  const size = body === null ? "" : ` (a request of ${utf8(body).length} bytes)`;
  const message = `The engine refuses ${subject}${size} with ${status}: ${error}. ${REMEDIES[status]}`;
  return new WorkflowError(status === 412 ? "quota_exceeded" : "step_refused", message, { cause });
}

/** Whether the engine has answered with this status. */
export function isStatus(error: unknown, status: number): error is WorkflowError {
  return error instanceof WorkflowError && statusOf(error.cause) === status;
}

/** One segment of a path, whatever the text: a "/" or "?" in it would be read as the end of it. */
export function toSegment(text: string): string {
  checkText("An id", text);
  return encodeURI(text).replace(/[/?#]/g, encodeURIComponent);
}
