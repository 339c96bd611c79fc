import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { type BrowserRules, createBrowserGuard } from "../http/browser-guard.ts";
import { withCors } from "../http/cors.ts";
import type { Bindings } from "../http/service.ts";
import type { StoreUnavailable } from "../store/unavailable.ts";
import { limitIdle } from "./idle-connections.ts";
import { printableLines } from "./terminal.ts";

/** A handler of HTTP requests. */
export type Api = (request: Request, bindings: Bindings) => Promise<Response>;

/**
 * Wraps an API so that it refuses the requests that browser pages may not make, and lets pages of the allowed
 * origins read its answers.
 */
export function guarded(api: Api, rules: BrowserRules): Api {
  const refusalOf = createBrowserGuard(rules);
  const shared = withCors(api, rules.origins);
  return async (request, bindings) => refusalOf(request) ?? shared(request, bindings);
}

export interface Address {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** A listening server and its port. */
export interface Listening {
  readonly server: Server;
  readonly port: number;
}

const SERVER = {
  // Clients send forwarded headers as headers, and list all the messages that they cancel in one query.
  maxHeaderSize: 256 * 1024,
  // Proxies keep connections for a minute. The server waits longer, so that the proxy closes first.
  keepAliveTimeout: 75_000,
};

/** Limits of idle connections: clients and proxies keep some, and new connections replace them. */
const IDLE = { most: 2048, firstRequest: 10_000 };

/**
 * Starts a server.
 *
 * @throws the system's error when it can't listen on the address; {@link explain} describes it
 */
export async function listen(api: Api, { host, port }: Address): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: (request, bindings) => {
      const { incoming } = bindings as HttpBindings;
      return api(request, { callerIp: callerIpOf(incoming), target: incoming.url });
    },
    overrideGlobalObjects: false,
    serverOptions: SERVER,
  }) as Server;
  limitIdle(server, IDLE);
  server.on("clientError", refuseMalformed);
  server.listen(port, host);
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

/** Answers a request that isn't valid HTTP with the reason. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const [status, reason] = MALFORMED[error.code ?? ""] ?? [
    "400 Bad Request",
    "the request is no valid HTTP/1.1",
  ];
  const body = JSON.stringify({ error: reason });
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

const MALFORMED: Readonly<Record<string, readonly [status: string, reason: string]>> = {
  HPE_INVALID_URL: [
    "400 Bad Request",
    "the request's URL has a character that HTTP doesn't allow: percent-encode everything beyond ASCII",
  ],
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "the request's headers are over 256 KiB"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "the request took too long to arrive"],
};

/** Returns the URL of a server for its clients. */
export function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Explains why a server can't listen, and what to do about it. */
export function explain(error: unknown, { host, port }: Address): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    return `Port ${port} on ${host} is taken.\nChoose another one: --port ${port === 65_535 ? 8080 : port + 1}, or any that is free: --port 0`;
  }
  if (code === "EACCES")
    return `Port ${port} on ${host} may not be used by this user.\nChoose another one: --port 8080`;
  return `The engine can't listen on ${host}:${port}: ${(error as Error).message}`;
}

/** Prints one line to stderr, and sets the exit code 1 for the end of the process. */
export function giveUp(message: string): void {
  console.error(printableLines(message));
  process.exitCode = 1;
}

/** Returns the error line for a database that the engine can't open. */
export function unavailable({ message }: StoreUnavailable): string {
  const remedy = message.includes("is in use by")
    ? "Stop that one, such as another perdure dev, or choose another database with --db <file>."
    : "Choose another one with --db <file>.";
  return `${message} ${remedy}`;
}

function callerIpOf(incoming: HttpBindings["incoming"]): string | undefined {
  // A dual-stack socket writes an IPv4 address with the prefix `::ffff:`.
  return incoming.socket.remoteAddress?.replace(/^::ffff:/, "");
}
