import { type Refusal, refused } from "../protocol/outcome.ts";
import { isProtocolHeader } from "../protocol/token.ts";
import { text } from "../util/bytes.ts";

/** A request before its body is read. */
export interface RequestHead {
  readonly request: Request;
  /** As the request names it, or as a trusted proxy does; as a verified token does, where no option says more. */
  readonly url: URL;
  /** Without those of the protocol that are empty: an empty header of the protocol counts as none. */
  readonly headers: Headers;
}

/** A request as it came in, its body read once. */
export interface IncomingRequest extends RequestHead {
  /** Exactly the bytes that were received: what the signature is over. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same as UTF-8 text. */
  readonly body: string;
}

/** Reads everything but the body of a request that could be a delivery: a POST. */
export function readHead(request: Request, trustProxy: boolean): RequestHead | Refusal {
  if (request.method !== "POST") {
    const message = `A workflow takes POST requests; got ${request.method}.`;
    return refused(405, "method_not_allowed", message);
  }
  const url = trustProxy ? forwardedUrl(request) : new URL(request.url);
  return { request, url, headers: withoutEmpty(request.headers) };
}

/** Reads the body, and refuses one of more than `limit` bytes before all of it is in memory. */
export async function readRequest(head: RequestHead, limit: number): Promise<IncomingRequest | Refusal> {
  const bytes = await readBody(head.request, limit);
  if (bytes) return { ...head, bytes, body: text(bytes) };
  const message = `The body is over the limit of ${limit} bytes.`;
  return refused(413, "body_too_large", message);
}

// The signature doesn't cover empty headers, because some proxies drop them.
function withoutEmpty(headers: Headers): Headers {
  const empty = [...headers].filter(([name, value]) => value === "" && isProtocolHeader(name));
  if (empty.length === 0) return headers;
  const kept = new Headers(headers);
  for (const [name] of empty) kept.delete(name);
  return kept;
}

/** Of several proxies, the first one knows what the sender asked for. */
function forwardedUrl({ url, headers }: Request): URL {
  const [proto = "", host = ""] = ["Proto", "Host"].map((name) =>
    headers.get(`X-Forwarded-${name}`)?.split(",")[0]?.trim(),
  );
  const forwarded = new URL(url);
  if (/^https?$/.test(proto)) forwarded.protocol = proto;
  if (/^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i.test(host) && URL.canParse(`http://${host}`)) {
    forwarded.port = "";
    forwarded.host = host;
  }
  return forwarded;
}

async function readBody(request: Request, limit: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (request.bodyUsed) {
    throw new TypeError("The request's body was read before. Pass on the request unread, or a clone of it.");
  }
  if (!request.body) return new Uint8Array();
  // What is announced may be too much, but never says how much will come.
  if (Number(request.headers.get("Content-Length")) > limit) return undefined;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  // Not cancelled: servers on Node would end the connection, and the sender would never read the answer.
  for await (const chunk of request.body.values({ preventCancel: true })) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
