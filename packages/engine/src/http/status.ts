import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { EngineErrorCode } from "../rules/engine-error.ts";

/** The HTTP status of each error code. Only this table turns an error of the engine into a status. */
export const STATUS: Readonly<Record<EngineErrorCode, ContentfulStatusCode>> = {
  invalid_request: 400,
  unsupported: 400,
  conflict: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  limit_reached: 412,
  too_large: 413,
  rate_limited: 429,
  not_possible_here: 501,
  query_timeout: 503,
  unavailable: 503,
};
