import { Agent, type Dispatcher as UndiciDispatcher } from "undici";
import type { Reply } from "../domain/message.ts";

/** One HTTP request, as it goes out. */
export interface OutgoingRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string | undefined;
  /** Bytes of the answer's body that are wanted, where that isn't the transport's own limit. */
  readonly maxBytes?: number | undefined;
  /** Aborted when the answer is no longer wanted. */
  readonly signal: AbortSignal;
}

/**
 * Sends requests. Redirects are answers like any other; a body is read up to the limit, and the rest of it is left:
 * then the reply says that it was cut.
 */
export interface Transport {
  /** Rejects when there is no answer. */
  send(request: OutgoingRequest): Promise<Reply>;
  close(): Promise<void>;
}

/** For Node: connections are kept and shared. */
export function poolTransport(maxBytes: number): Transport {
  // How long an attempt may take is the message's own affair.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, pipelining: 1 });
  return {
    async send({ url, method, headers, body, signal, maxBytes: most = maxBytes }) {
      const target = new URL(url);
      const answer = await agent.request({
        origin: target.origin,
        path: rawPath(url) ?? target.pathname + target.search,
        method: method as UndiciDispatcher.HttpMethod,
        headers,
        body: body === undefined ? null : body,
        signal,
      });
      const read = await readUpTo(answer.body, most);
      return { status: answer.statusCode, headers: toLists(answer.headers), ...read };
    },
    close: () => agent.destroy(),
  };
}

/** What a URL says behind its host, byte for byte, where a request can carry that. */
function rawPath(url: string): string | undefined {
  const path = /^https?:\/\/[^/?#\\]*([^#]*)/i.exec(url)?.[1];
  if (path === undefined || !/^[\x21-\x5b\x5d-\x7e]*$/.test(path)) return undefined;
  return path.startsWith("/") ? path : `/${path}`;
}

/** For every other runtime, and for an endpoint in this process. */
export function fetchTransport(
  maxBytes: number,
  fetcher: (request: Request) => Promise<Response> = fetch,
): Transport {
  return {
    async send({ url, method, headers, body, signal, maxBytes: most = maxBytes }) {
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
      const read = answer.body ? await readUpTo(answer.body, most) : { body: new Uint8Array(), cut: false };
      return { status: answer.status, headers: lists, ...read };
    },
    close: async () => {},
  };
}

async function readUpTo(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Pick<Reply, "body" | "cut">> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    parts.push(part);
    size += part.length;
    if (size > maxBytes) break;
  }
  const [only] = parts;
  if (parts.length === 1 && only && size <= maxBytes) return { body: only, cut: false };
  return { body: Buffer.concat(parts, Math.min(size, maxBytes)), cut: size > maxBytes };
}

function toLists(headers: Record<string, string | string[] | undefined>): Record<string, string[]> {
  const lists: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) lists[name] = typeof value === "string" ? [value] : value;
  }
  return lists;
}
