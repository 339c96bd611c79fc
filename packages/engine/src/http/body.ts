import { EngineError } from "../rules/engine-error.ts";

/** Limits the bytes that the bodies of all requests together take in memory. */
export class BodyBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Returns the reservation of one request. */
  hold(): BodyReservation {
    let own = 0;
    return {
      take: (bytes) => {
        if (this.#held + bytes > this.#limit)
          throw new EngineError("unavailable", "the engine holds too many bodies of requests: try again", {
            retryAfter: 1,
          });
        this.#held += bytes;
        own += bytes;
      },
      release: () => {
        this.#held -= own;
        own = 0;
      },
    };
  }
}

export interface BodyReservation {
  /** @throws EngineError `unavailable` when all requests together would hold more than the budget */
  take(bytes: number): void;
  /** Gives the bytes back to the budget, after the answer to the request. */
  release(): void;
}

/**
 * The engine reads bodies up to this size, in bytes, in one go. A slow sender can hold this much of the
 * budget before it sends a byte.
 */
const SMALL = 64 * 1024;

/**
 * Reads the bytes of a request's body.
 *
 * @throws EngineError `too_large` as soon as the body has more than `limit` bytes, `unavailable` as soon as
 * `hold` can take no more
 */
export async function readBody(request: Request, limit: number, hold: BodyReservation): Promise<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? Number.NaN);
  if (announced > limit) throw tooLarge(limit);
  // The HTTP server never reads more than the Content-Length.
  if (announced <= SMALL) {
    hold.take(announced);
    return withinLimit(new Uint8Array(await request.arrayBuffer()), limit);
  }
  if (!request.body) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body) {
    size += part.length;
    if (size > limit) throw tooLarge(limit);
    hold.take(part.length);
    parts.push(part);
  }
  const body = Buffer.concat(parts, size);
  // Work on so many bytes starts in another turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  return body;
}

function withinLimit(body: Uint8Array, limit: number): Uint8Array {
  if (body.length > limit) throw tooLarge(limit);
  return body;
}

/** The error for a body over the limit of a request. */
export function tooLarge(limit: number): EngineError {
  return new EngineError("too_large", `the body is larger than the limit of ${limit} bytes`, { limit });
}
