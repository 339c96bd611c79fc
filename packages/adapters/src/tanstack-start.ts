import type { Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type ServerRoute = (context: { readonly request: Request }) => Promise<Response>;

/** A workflow's handler as the handlers of a server route: `server: { handlers: toTanStackStart(handler) }`. */
export function toTanStackStart(handler: Handler): { POST: ServerRoute } {
  return { POST: ({ request }) => handler(request) };
}

/** `serve` of `@perdure/core`, as the handlers of a server route: `server: { handlers: serve(workflow) }`. */
export const serve: Serve<{ POST: ServerRoute }> = serveAs(toTanStackStart);

/** `serveMany` of `@perdure/core`, as the handlers of a server route: `server: { handlers: serveMany({ order, invoice }) }`. */
export const serveMany: ServeMany<{ POST: ServerRoute }> = serveManyAs(toTanStackStart);

export { createWorkflow } from "@perdure/core";
