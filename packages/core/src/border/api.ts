import { utf8 } from "../kernel/bytes.ts";
import { checkText, isList } from "../kernel/check.ts";
import { WorkflowError } from "../kernel/errors.ts";
import { type Http, type HttpRequest, type Query, statusOf } from "./http.ts";
import { refusalReason, unreachableReason } from "./reason.ts";

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
    const engine = `The engine at ${http.baseUrl}`;
    const asked = `${method} /v2/${path.join("/")}`;
    const status = statusOf(cause);
    if (status === undefined) {
      const message = `${engine} can't be reached for ${asked}: ${unreachableReason(cause)}. Start an engine with "npx perdure dev", or set QSTASH_URL to the address of yours.`;
      throw new WorkflowError("engine_unreachable", message, { cause });
    }
    const said = refusalReason(cause);
    const remedy = REMEDIES[status];
    if (subject !== undefined && remedy) {
      const size = body === null ? "" : ` (a request of ${utf8(body).length} bytes)`;
      const message = `${engine} refuses ${subject}${size} with ${status}: ${said}. ${remedy}`;
      throw new WorkflowError(status === 412 ? "quota_exceeded" : "step_refused", message, { cause });
    }
    const code = status === 412 ? "quota_exceeded" : "engine_refused";
    const todo = status === 401 || status === 403 ? `. ${remedy}` : "";
    throw new WorkflowError(code, `${engine} answers ${status} to ${asked}: ${said}${todo}`, { cause });
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

/** Whether the engine has answered with this status. */
export function isStatus(error: unknown, status: number): error is WorkflowError {
  return error instanceof WorkflowError && statusOf(error.cause) === status;
}

/** One segment of a path, whatever the text: a "/" or "?" in it would be read as the end of it. */
export function toSegment(text: string): string {
  checkText("An id", text);
  return encodeURI(text).replace(/[/?#]/g, encodeURIComponent);
}
