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
export async function ask<Answer>(http: Http, asked: Ask): Promise<Answer> {
  const { method, path, query = {}, headers, body = null, empty = false } = asked;
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
    throw engineError(`The engine at ${http.baseUrl}`, asked, cause);
  }
}

/** With these an engine refuses for good: sent again, the request would be refused again. */
const FINAL_STATUSES = [400, 401, 403, 412, 413, 414, 422, 431];

function engineError(engine: string, { method, path, body, subject }: Ask, cause: unknown): WorkflowError {
  const asked = `${method} /v2/${path.join("/")}`;
  const status = statusOf(cause);
  if (status === undefined) {
    const message = `${engine} can't be reached for ${asked}: ${unreachableReason(cause)}. Start an engine with "npx perdure dev", or set QSTASH_URL to the address of yours.`;
    return new WorkflowError("engine_unreachable", message, { cause });
  }
  const said = refusalReason(cause);
  const unknown = status === 401 || status === 403;
  const remedy = unknown
    ? ". Set QSTASH_TOKEN and QSTASH_URL to those of the engine."
    : ". Ask for less, or store the data elsewhere and pass on where it is.";
  if (subject !== undefined && FINAL_STATUSES.includes(status)) {
    const size = body ? ` (a request of ${utf8(body).length} bytes)` : "";
    const message = `${engine} refuses ${subject}${size} with ${status}: ${said}${remedy}`;
    return new WorkflowError(status === 412 ? "quota_exceeded" : "step_refused", message, { cause });
  }
  const code = status === 412 ? "quota_exceeded" : "engine_refused";
  const message = `${engine} answers ${status} to ${asked}: ${said}${unknown ? remedy : ""}`;
  return new WorkflowError(code, message, { cause });
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
