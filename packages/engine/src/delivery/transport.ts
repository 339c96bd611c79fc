import type { Reply } from "../rules/message.ts";
import { type DestinationPolicy, DestinationRefused } from "./policy.ts";

/** One HTTP request to send. */
export interface OutgoingRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string | undefined;
  /** Maximum bytes of the answer's body to read. Default: the transport's own limit. */
  readonly maxBytes?: number | undefined;
  /**
   * The transport calls this before it keeps a part of a large answer. While there is no room, the promise is
   * pending, and the transport stops reading.
   */
  readonly hold?: ReserveMemory | undefined;
  /** Aborted when the caller no longer needs the answer. */
  readonly signal: AbortSignal;
  /**
   * A transport that resolves names itself calls this when a look-up begins. Once the address is known, it
   * calls the returned function, and connects when that resolves.
   */
  readonly lookUp?: (() => () => Promise<void>) | undefined;
}

/**
 * Sends requests. Redirects are answers like any other. A transport reads a body up to the limit; the reply
 * says whether the body was longer.
 */
export interface Transport {
  /** Rejects when there is no answer. */
  send(request: OutgoingRequest): Promise<Reply>;
  close(): Promise<void>;
}

/**
 * Creates a transport that uses `fetch`, or a function in its place: for an endpoint in the same process,
 * such as a test's.
 *
 * @param maxBytes the most bytes of an answer's body that the transport reads
 * @example
 * ```ts
 * const { handler } = serve(workflow);
 * const transport = fetchTransport(1024 * 1024, (request) => handler(request));
 * const engine = createEngine({ store: ":memory:", token, signingKeys, transport });
 * ```
 */
export function fetchTransport(
  maxBytes: number,
  fetcher: (request: Request) => Promise<Response> = fetch,
): Transport {
  return {
    async send({ url, method, headers, body, signal, hold, maxBytes: most = maxBytes }) {
      const bare = body === undefined || method === "GET" || method === "HEAD";
      const answer = await fetcher(
        new Request(url, {
          method,
          headers,
          signal,
          redirect: "manual",
          ...(bare ? {} : { body: body as BodyInit }),
        }),
      );
      const lists: Record<string, string[]> = {};
      for (const [name, value] of answer.headers) lists[name] = [...(lists[name] ?? []), value];
      const read = answer.body
        ? await readUpTo(answer.body, most, hold)
        : { body: new Uint8Array(), cut: false };
      return { status: answer.status, headers: lists, ...read };
    },
    close: async () => {},
  };
}

/** Wraps a transport so that it rejects requests whose URL the policy forbids. */
export function guarded(transport: Transport, policy: DestinationPolicy): Transport {
  return {
    async send(request) {
      const why = policy.refusal(request.url);
      if (why !== undefined) throw new DestinationRefused(`destination refused: ${why}`);
      return transport.send(request);
    },
    close: () => transport.close(),
  };
}

/** Reserves memory for this many bytes; resolves when there is room. */
export type ReserveMemory = (bytes: number) => Promise<void>;

/** Bytes of an answer that a transport reads without a reservation. */
const SMALL = 64 * 1024;

/** Reads a body up to the limit. Also returns whether the body is longer. */
export async function readUpTo(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  hold?: ReserveMemory,
): Promise<Pick<Reply, "body" | "cut">> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    parts.push(part);
    size += part.length;
    if (size > maxBytes) break;
    if (size > SMALL) await hold?.(part.length);
  }
  const [only] = parts;
  if (parts.length === 1 && only && size <= maxBytes) return { body: only, cut: false };
  return { body: Buffer.concat(parts, Math.min(size, maxBytes)), cut: size > maxBytes };
}
