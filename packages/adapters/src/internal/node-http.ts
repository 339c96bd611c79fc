import type { Handler } from "@perdure/core";
import { writeLine } from "@perdure/core/protocol";
import { consumedBody, rawBytes } from "./body.ts";
import { checkPath } from "./path.ts";

/** Frameworks, parsers and platforms add these fields to a request. */
interface ParsedParts {
  /** The URL as received, when a router removes its prefix from `url`. */
  readonly originalUrl?: string | undefined;
  readonly rawBody?: unknown;
  readonly body?: unknown;
}

/** The adapters read these fields of a `node:http` request. */
export interface IncomingMessage extends AsyncIterable<Uint8Array>, ParsedParts {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: { readonly host?: string | undefined; readonly ":authority"?: string | undefined };
  readonly rawHeaders: readonly string[];
  readonly readableDidRead: boolean;
  /** The number of bytes that have arrived and aren't read. */
  readonly readableLength?: number;
  /** Returns the bytes that have arrived. */
  read?(): unknown;
  readonly socket: object;
}

/** The adapters use these members of a `node:http` response. */
export interface ServerResponse {
  statusCode: number;
  readonly destroyed: boolean;
  readonly headersSent: boolean;
  readonly writableFinished: boolean;
  setHeader(name: string, value: string | string[]): unknown;
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  end(body: Uint8Array): unknown;
  once(event: "close" | "drain", listener: () => void): unknown;
}

/** A request and its response. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** The parts that a framework has parsed: the request's own by default. */
  readonly parsed?: ParsedParts;
}

/** Answers a request of `node:http`. Never rejects. @param remedy the advice in the error for a body that was read before */
export async function respond(
  handler: Handler,
  { incoming, outgoing, parsed = incoming }: Exchange,
  remedy: string,
): Promise<void> {
  let failureStatus = 400; // Until the request is converted: fetch may not accept its method or a header.
  try {
    // By the next microtask, the server has parsed the rest of what came with the head: usually all of the body.
    await undefined;
    const request = toRequest(incoming, outgoing, remedy, parsed);
    failureStatus = 500;
    const response = await handler(request);
    if (response.body && isEventStream(response)) await stream(outgoing, response, response.body);
    else send(outgoing, response.status, response.headers, await response.arrayBuffer());
  } catch (error) {
    if (failureStatus === 500) writeLine("error", "The handler of a request failed:", error);
    send(outgoing, failureStatus, new Headers(), new ArrayBuffer(0));
  }
}

const isEventStream = ({ headers }: Response): boolean =>
  headers.get("Content-Type")?.startsWith("text/event-stream") === true;

/** Sends each event when it comes, as fast as the client reads. */
async function stream(
  outgoing: ServerResponse,
  { status, headers }: Response,
  body: ReadableStream<Uint8Array>,
): Promise<void> {
  if (!begin(outgoing, status, headers)) return body.cancel();
  const reader = body.getReader();
  outgoing.once("close", () => void reader.cancel().catch(() => {}));
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (!outgoing.write(next.value)) await drained(outgoing);
    }
  } finally {
    outgoing.end();
  }
}

/** Resolves when the client has read what was written, or is gone. */
const drained = (outgoing: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    outgoing.once("drain", resolve);
    outgoing.once("close", resolve);
  });

function send(outgoing: ServerResponse, status: number, headers: Headers, body: ArrayBuffer): void {
  if (begin(outgoing, status, headers)) outgoing.end(new Uint8Array(body));
}

/** Sets status and headers. @returns `false` if the client has disconnected, or other code has answered */
function begin(outgoing: ServerResponse, status: number, headers: Headers): boolean {
  if (outgoing.destroyed || outgoing.headersSent) return false;
  outgoing.statusCode = status;
  for (const [name, value] of headers) {
    outgoing.setHeader(name, name === "set-cookie" ? headers.getSetCookie() : value);
  }
  return true;
}

/** Converts the request: URL, headers and body as the client sent them. Its signal aborts when the client disconnects. */
export function toRequest(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  remedy: string,
  parsed: ParsedParts = incoming,
): Request {
  const { method = "GET", rawHeaders } = incoming;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (!name.startsWith(":")) headers.append(name, rawHeaders[at + 1] ?? ""); // HTTP/2's pseudo-headers.
  }
  const clientLeft = new AbortController();
  outgoing.once("close", () => outgoing.writableFinished || clientLeft.abort());
  const body = method === "GET" || method === "HEAD" ? null : bodyOf(incoming, headers, remedy, parsed);
  const init = { method, headers, body, duplex: "half" };
  const request = new Request(urlOf(incoming, parsed.originalUrl), init);
  // Its own signal: one that follows another costs as much as the rest of the request.
  return Object.defineProperty(request, "signal", { value: clientLeft.signal });
}

// The client chooses the Host header, which must not change the path.
function urlOf({ headers, socket, url = "/" }: IncomingMessage, originalUrl = url): string {
  const scheme = "encrypted" in socket && socket.encrypted === true ? "https" : "http";
  const host = `${scheme}://${headers[":authority"] ?? headers.host ?? "localhost"}`;
  const origin = `${scheme}://${URL.canParse(host) ? new URL(host).host : "localhost"}`;
  const path = URL.canParse(originalUrl) ? originalUrl.replace(/^[^:]*:\/\/[^/?#]*/, "") : originalUrl;
  checkPath(path);
  return `${origin}${path.startsWith("/") ? "" : "/"}${path}`;
}

function bodyOf(
  incoming: IncomingMessage,
  headers: Headers,
  remedy: string,
  { rawBody, body }: ParsedParts,
): BodyInit {
  const contentLength = headers.get("Content-Length");
  const bytes = rawBytes(rawBody, contentLength) ?? rawBytes(body, contentLength);
  if (bytes) return bytes;
  if (incoming.readableDidRead) return consumedBody(remedy);
  return arrivedBody(incoming, contentLength) ?? toStream(incoming);
}

/** Returns the body if all of it has arrived: a stream costs more than the rest of the request. */
function arrivedBody(incoming: IncomingMessage, contentLength: string | null): BodyInit | undefined {
  const hasArrived = contentLength !== null && incoming.readableLength === Number(contentLength);
  return hasArrived ? rawBytes(incoming.read?.(), contentLength) : undefined;
}

function toStream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = incoming[Symbol.asyncIterator]();
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    const { done, value } = await chunks.next();
    if (done) controller.close();
    else controller.enqueue(value);
  };
  return new ReadableStream({ pull }, { highWaterMark: 0 });
}
