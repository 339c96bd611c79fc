import { type Handler, type ServeOptions, serve as serveCore, type WorkflowFunction } from "@perdure/core";

/** What is read of a request of `node:http`. */
interface IncomingMessage extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: { readonly host?: string | undefined };
  readonly rawHeaders: readonly string[];
  readonly readableEnded: boolean;
  readonly socket: object;
}

/** What is called on a response of `node:http`. */
interface ServerResponse {
  writeHead(status: number, headers: string[]): unknown;
  end(body: Uint8Array): unknown;
}

type NodeListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** A workflow's handler as a listener of `node:http`: `createServer(toNode(handler))`. */
export function toNode(handler: Handler): NodeListener {
  return async (incoming, outgoing) => {
    const response = await handler(toRequest(incoming));
    outgoing.writeHead(response.status, [...response.headers].flat());
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
  };
}

/** `serve` of `@perdure/core`, as a listener of `node:http`. */
export function serve<Payload = unknown, Result = unknown>(
  workflow: WorkflowFunction<Payload, Result>,
  options?: ServeOptions<Payload>,
): NodeListener {
  return toNode(serveCore(workflow, options).handler);
}

function toRequest(incoming: IncomingMessage): Request {
  const { method = "GET", url = "/", rawHeaders } = incoming;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
  const host = `${"encrypted" in incoming.socket ? "https" : "http"}://${incoming.headers.host}`;
  const body = method === "GET" || method === "HEAD" ? null : toStream(incoming);
  const init = { method, headers, body, duplex: "half" };
  return new Request(new URL(url, URL.canParse(host) ? host : "http://localhost"), init);
}

function toStream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = incoming[Symbol.asyncIterator]();
  return new ReadableStream({
    start(controller) {
      if (incoming.readableEnded) controller.error(new TypeError(ALREADY_READ));
    },
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

const ALREADY_READ =
  "The request's body has been read before it reached the workflow. Mount the workflow before any body parser: the signature is over the raw bytes.";
