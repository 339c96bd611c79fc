import { type Refusal, refused } from "../protocol/outcome.ts";
import { filterHeaders, isProtocolHeader } from "../protocol/token.ts";
import { decodeUtf8 } from "../util/bytes.ts";

/** A request before its body is read. */
export interface RequestHead {
  readonly request: Request;
  /** From the request or a trusted proxy; from a verified token when no option sets the URL. */
  readonly url: URL;
  /** Without the protocol's empty headers: an empty one counts as absent. */
  readonly headers: Headers;
}

/** A request with its body, which is read once. */
export interface IncomingRequest extends RequestHead {
  /** The exact bytes received, which the signature covers. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same bytes, decoded as UTF-8. */
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
  if (bytes) return { ...head, bytes, body: decodeUtf8(bytes) };
  const message = `The body exceeds the limit of ${limit} bytes.`;
  return refused(413, "body_too_large", message);
}

// The signature doesn't cover empty headers, because some proxies drop them.
function withoutEmpty(headers: Headers): Headers {
  const isKept = (name: string, value: string) => value !== "" || !isProtocolHeader(name);
  return [...headers].every(([name, value]) => isKept(name, value))
    ? headers
    : filterHeaders(headers, isKept);
}

/** Returns the URL that the client requested: with several proxies, the first value. */
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
    throw new TypeError("The body was read before. Pass an unread request.");
  }
  if (!request.body) return new Uint8Array();
  // A too large Content-Length is enough to refuse; a small one proves nothing.
  if (Number(request.headers.get("Content-Length")) > limit) return undefined;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  // Not cancelled: servers on Node would end the connection, and the sender would never read the answer.
  for await (const chunk of request.body.values({ preventCancel: true })) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  const [only] = chunks;
  return only?.length === length ? only : new Uint8Array(await new Blob(chunks).arrayBuffer());
}
