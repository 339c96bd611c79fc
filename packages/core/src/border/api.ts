import { checkText } from "../kernel/check.ts";
import { messageOf, WorkflowError } from "../kernel/errors.ts";
import { type Http, type HttpRequest, statusOf } from "./http.ts";

/** Times, in the engine's queries, are milliseconds since 1970. */
export type Query = Readonly<
  Record<string, string | number | boolean | Date | readonly string[] | undefined>
>;

interface Ask extends Pick<HttpRequest, "method"> {
  /** Segments behind `/v2`. */
  readonly path: readonly string[];
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** The answer has no JSON to read. */
  readonly empty?: boolean;
}

/** A request to the engine's API, whose failures are WorkflowErrors. */
export function ask<Answer>(
  http: Http,
  { method, path, query = {}, headers, body, empty }: Ask,
): Promise<Answer> {
  const request = http.request<Answer>({
    path: ["v2", ...path],
    method,
    parseResponseAsJson: !empty,
    query: toQuery(query),
    headers: { ...headers },
    body: body ?? null,
  });
  return translate(`${method} /v2/${path.join("/")}`, request);
}

/** What the client throws, in our terms: `engine_unreachable`, `engine_refused`, or `quota_exceeded`. */
async function translate<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    const status = statusOf(cause);
    if (status === undefined) {
      const message = `The engine can't be reached for ${what}: ${messageOf(cause)}`;
      throw new WorkflowError("engine_unreachable", message, { cause });
    }
    const code = status === 412 ? "quota_exceeded" : "engine_refused";
    const message = `The engine answers ${status} to ${what}: ${messageOf(cause)}`;
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

/** @throws TypeError for an empty list: it would match nothing, or everything */
function toQuery(query: Query): Record<string, string | number | boolean | Date | string[]> {
  const asked: Record<string, string | number | boolean | Date | string[]> = {};
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (isList(value) && value.length === 0)
      throw new TypeError(`The filter ${name} must not be an empty list.`);
    asked[name] = isList(value) ? [...value] : value;
  }
  return asked;
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}
