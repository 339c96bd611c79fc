import { encodeUtf8 } from "../util/bytes.ts";
import { checkId, isList, mustBe } from "../util/check.ts";
import { WorkflowError } from "../util/errors.ts";
import { refusalReason, unreachableReason } from "./error-reason.ts";
import { type Http, type HttpRequest, type Query, statusOf } from "./http.ts";

/** Options of a request to the engine's API. */
export interface Details {
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null | undefined;
  /** The answer has no JSON body. */
  readonly empty?: boolean;
  /** The part of a run that the request sends, for the error when the engine refuses it: then the run fails without retries. */
  readonly subject?: string | undefined;
  /** Aborts the request. With a signal, a request without an answer isn't sent again. */
  readonly signal?: AbortSignal;
  /** Milliseconds before each repetition of a request that the engine answers with a 5xx. Default: none. */
  readonly serverErrorDelays?: readonly number[];
}

/**
 * Sends a request to the engine's API.
 *
 * @param path segments behind `/v2`
 * @throws TypeError for invalid settings
 * @throws WorkflowError `engine_unreachable`, `engine_refused`, or `quota_exceeded`; `step_refused` for a `subject`
 */
export type CallApi = <Answer>(
  method: HttpRequest["method"],
  path: readonly string[],
  details?: Details,
) => Promise<Answer>;

/** @param connected called for each request, because the settings may become valid later */
export function createApi(connected: () => Http): CallApi {
  return async <Answer>(method: HttpRequest["method"], path: readonly string[], details: Details = {}) => {
    const { query = {}, headers, body = null, empty = false, subject, signal } = details;
    // An engine may read an empty list as nothing or as everything.
    for (const [name, value] of Object.entries(query))
      if (isList(value) && value.length === 0) throw mustBe(name, "a non-empty list", value);
    const http = connected();
    const request: HttpRequest = {
      path: ["v2", ...path],
      method,
      parseResponseAsJson: !empty,
      // The official client's type has mutable lists, and its code doesn't change them.
      query: query as HttpRequest["query"],
      headers: { ...headers },
      body,
      signal,
    };
    for (let count = 0; ; count++)
      try {
        return await http.request<Answer>(request);
      } catch (cause) {
        const status = statusOf(cause);
        // A request that only reads is sent again, too, while the engine stops or can't reach its database.
        const isUnanswered = status === undefined || (status === 503 && method === "GET");
        const delay = isUnanswered
          ? !signal && http.retryDelay?.(count)
          : status >= 500 && details.serverErrorDelays?.[count];
        if (typeof delay !== "number") {
          const call = `${method} /v2/${path.join("/")}`;
          const part = subject && `${subject} (${encodeUtf8(body ?? "").length} bytes)`;
          throw engineError(http, call, cause, part);
        }
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
  };
}

/** The remedy for what is too large for the engine, behind the reason. */
export const SEND_LESS = ". Send less, or store the data elsewhere.";

/**
 * Statuses below 500 that a retry of the same request may not get again. Every other one is final: the engine refuses the
 * request, or the URL leads to another server, which redirects it, knows no such path, or answers with a page.
 */
const PASSING_STATUSES = [408, 409, 425, 429];

/** Statuses of requests that are too large. */
const SIZE_STATUSES = [413, 414, 431];

/** @param subject the part of a run that the engine refuses, with its size */
function engineError(http: Http, call: string, cause: unknown, subject?: string): WorkflowError {
  const engine = `The engine at ${http.baseUrl}`;
  const [token, url] = http.variables ?? ["PERDURE_TOKEN", "PERDURE_URL"];
  const status = statusOf(cause);
  if (status === undefined) {
    const message = `${engine} can't be reached for ${call}: ${unreachableReason(cause)}. Start one with "npx perdure dev", or set ${url}.`;
    return new WorkflowError("engine_unreachable", message, { cause });
  }
  const refused = status < 500 && !PASSING_STATUSES.includes(status) ? subject : undefined;
  const isWrongEngine = status === 401 || status === 403;
  const remedy = isWrongEngine
    ? `. Set ${token} and ${url} to those of the engine.`
    : refused && SIZE_STATUSES.includes(status)
      ? SEND_LESS
      : "";
  const code = status === 412 ? "quota_exceeded" : refused ? "step_refused" : "engine_refused";
  const message = `${engine} answers ${status} to ${refused ?? call}: ${refusalReason(cause)}${remedy}`;
  return new WorkflowError(code, message, { cause });
}

/** True for the error of an answer with this status. */
export function isStatus(error: unknown, status: number): error is WorkflowError {
  return statusOf(Object(error).cause) === status;
}

/** Encodes an id as one segment of a path: a "/" or "?" in it would end the segment. */
export function toSegment(id: string): string {
  checkId("An id", id);
  return encodeURI(id).replace(/[/?#]/g, encodeURIComponent);
}
