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
}

/**
 * A request to the engine's API.
 *
 * @throws TypeError for settings that can't be used
 * @throws WorkflowError `engine_unreachable`, `engine_refused`, or `quota_exceeded`
 */
export async function ask<Answer>(
  http: Http,
  { method, path, query = {}, headers, body = null, empty = false }: Ask,
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
    const code =
      status === undefined ? "engine_unreachable" : status === 412 ? "quota_exceeded" : "engine_refused";
    const asked = `${method} /v2/${path.join("/")}`;
    const said =
      status === undefined
        ? `can't be reached for ${asked}: ${unreachableReason(cause)}. Start an engine with "npx perdure dev", or set QSTASH_URL to the address of yours.`
        : `answers ${status} to ${asked}: ${refusalReason(cause)}`;
    const message = `The engine at ${http.baseUrl} ${said}`;
    throw new WorkflowError(code, message, { cause });
  }
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
