/**
 * The reason why the engine refuses something. The names don't change between versions; messages may.
 *
 * - `invalid_request`: a field, an option or a body has an invalid value.
 * - `unsupported`: the protocol has this, and this engine doesn't offer it.
 * - `conflict`: the state of the named object doesn't allow it, such as a step for a run that has ended.
 * - `unauthorized`: the request shows no token of this engine.
 * - `forbidden`: the token doesn't allow this.
 * - `not_found`: nothing has this name, id or path.
 * - `method_not_allowed`: the path takes other methods.
 * - `limit_reached`: it is over one of the engine's limits, such as `limits.queues`.
 * - `too_large`: the request has too many bytes, items or values.
 * - `rate_limited`: too many requests for now.
 * - `not_possible_here`: this engine's store doesn't support it.
 * - `query_timeout`: a list took longer than `timeouts.query`.
 * - `unavailable`: the engine can't take it at this moment; the same request may succeed later.
 */
export type EngineErrorCode =
  | "invalid_request"
  | "unsupported"
  | "conflict"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "limit_reached"
  | "too_large"
  | "rate_limited"
  | "not_possible_here"
  | "query_timeout"
  | "unavailable";

/** Facts about an {@link EngineError}, for code that doesn't want to read its message. */
export interface EngineErrorFacts {
  /** The header, parameter, option or field that is wrong. */
  readonly field?: string | undefined;
  /** The reason why the field is invalid. */
  readonly reason?: string | undefined;
  /** The limit that is reached. */
  readonly limit?: number | undefined;
  /** Seconds after which the same request may succeed. */
  readonly retryAfter?: number | undefined;
}

/**
 * The engine refuses a request, for a reason that the caller can act on. The `code` is stable. A call with a
 * programming mistake, such as an unknown option, throws a `TypeError` instead.
 *
 * The HTTP API answers `{"error": message}` with the status that belongs to the code.
 *
 * @example
 * ```ts
 * try {
 *   await engine.messages.cancel(id);
 * } catch (error) {
 *   if (!(error instanceof EngineError) || error.code !== "not_found") throw error;
 *   // It has been delivered, or was never there.
 * }
 * ```
 */
export class EngineError extends Error {
  override name = "EngineError";
  readonly code: EngineErrorCode;
  readonly facts: EngineErrorFacts;

  constructor(code: EngineErrorCode, message: string, facts: EngineErrorFacts & ErrorOptions = {}) {
    const { cause, ...rest } = facts;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = rest;
  }
}

/** Creates the error for an invalid field of a request. */
export function invalid(field: string, reason: string, options: ErrorOptions = {}): EngineError {
  return new EngineError("invalid_request", `invalid ${field}: ${reason}`, { ...options, field, reason });
}

/**
 * Creates the error for a part of the protocol that this engine doesn't offer. The engine refuses it rather
 * than ignore it.
 */
export function unsupported(field: string): EngineError {
  return new EngineError("unsupported", `${field} is not supported by this engine`, { field });
}

/** Creates the error for a missing object. @param what such as `queue mails` */
export function notFound(what: string): EngineError {
  return new EngineError("not_found", `${what} not found`);
}

/** Creates the error for a value over one of the engine's limits. @param unit of both, such as `" bytes"` */
export function overLimit(field: string, value: number | string, limit: number, unit = ""): EngineError {
  const message = `${field} must be at most ${limit}${unit}; got ${value}${unit}`;
  return new EngineError("limit_reached", message, { field, limit });
}

/** Creates the error for one object more than the limit of its kind. @param kind such as `queue` */
export function limitReached(kind: string, limit: number): EngineError {
  return new EngineError("limit_reached", `${kind} limit reached (${limit})`, { limit });
}
