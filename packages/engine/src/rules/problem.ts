/** Statuses with which the engine refuses a request. */
export type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 412 | 413 | 429 | 501 | 503;

/** A request that can't be served, for a reason that its sender can act on. The API answers `{"error": message}`. */
export class Problem extends Error {
  override name = "Problem";
  readonly status: ProblemStatus;
  /** Seconds after which the same request may be served. */
  readonly retryAfter: number | undefined;

  constructor(
    status: ProblemStatus,
    message: string,
    options?: ErrorOptions & { readonly retryAfter?: number },
  ) {
    super(message, options);
    this.status = status;
    this.retryAfter = options?.retryAfter;
  }
}

/** A field of a request that doesn't hold what it should. */
export function invalid(field: string, reason: string, options?: ErrorOptions): Problem {
  return new Problem(400, `invalid ${field}: ${reason}`, options);
}

/** A part of the protocol that this engine doesn't offer: it is refused, because to ignore it would be a lie. */
export function unsupported(field: string): Problem {
  return new Problem(400, `${field} is not supported by this engine`);
}

/** The message of anything that can be thrown, with what lies behind a bundle of errors. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) {
    return [...new Set(thrown.errors.map(messageOf))].join("; ");
  }
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown);
}
