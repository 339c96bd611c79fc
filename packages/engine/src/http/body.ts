import { EngineError } from "../rules/engine-error.ts";

/** Bytes of bodies that are in memory at once, of all requests together. */
export class BodyBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The part of one request. */
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
  /** Gives back all that was taken: the request has been answered. */
  release(): void;
}

/** Bytes that are read in one go: their sender may hold back so much of the budget without sending it. */
const SMALL = 64 * 1024;

/**
 * The bytes of a request's body.
 *
 * @throws EngineError `too_large` as soon as there are more than `limit`, `unavailable` as soon as `hold` can take no more
 */
export async function readBody(request: Request, limit: number, hold: BodyReservation): Promise<Uint8Array> {
  const announced = Number(request.headers.get("content-length") ?? Number.NaN);
  if (announced > limit) throw tooLarge(limit);
  // A server holds the sender to what it announced.
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
  // Whatever is done with so many bytes is another turn.
  await new Promise((resolve) => setImmediate(resolve));
  return body;
}

function withinLimit(body: Uint8Array, limit: number): Uint8Array {
  if (body.length > limit) throw tooLarge(limit);
  return body;
}

/** A body over the limit of a request. */
export function tooLarge(limit: number): EngineError {
  return new EngineError("too_large", `the body is larger than the limit of ${limit} bytes`, { limit });
}
