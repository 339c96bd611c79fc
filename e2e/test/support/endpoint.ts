import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve as listen } from "@hono/node-server";

type Handler = (request: Request) => Response | Promise<Response>;

/** A real HTTP server whose paths are answered by handlers. */
export class Endpoint {
  readonly #server: Server;
  readonly #handlers = new Map<string, Handler>();
  /** Every request to a path, in order. */
  readonly visits: { readonly path: string; readonly headers: Headers }[] = [];

  private constructor() {
    const fetch = (request: Request) => {
      const { pathname } = new URL(request.url);
      this.visits.push({ path: pathname, headers: request.headers });
      return this.#handlers.get(pathname)?.(request) ?? new Response("nothing here", { status: 404 });
    };
    this.#server = listen({ fetch, hostname: "127.0.0.1", port: 0, overrideGlobalObjects: false }) as Server;
  }

  static async start(): Promise<Endpoint> {
    const endpoint = new Endpoint();
    if (!endpoint.#server.listening)
      await new Promise((resolve) => endpoint.#server.once("listening", resolve));
    return endpoint;
  }

  /** @returns the URL at which `handler` answers from now on */
  at(path: string, handler: Handler): string {
    this.#handlers.set(path, handler);
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
