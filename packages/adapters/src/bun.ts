import type { Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type BunHandler = (request: Request) => Promise<Response>;

/** A workflow's handler as a route of Bun: `Bun.serve({ routes: { "/order": toBun(handler) } })`. */
export function toBun(handler: Handler): BunHandler {
  return (request) => handler(request);
}

/** `serve` of `@perdure/core`, as a route of Bun: `Bun.serve({ routes: { "/order": serve(workflow) } })`. */
export const serve: Serve<BunHandler> = serveAs(toBun);

/** `serveMany` of `@perdure/core`, as a route of Bun: `Bun.serve({ routes: { "/workflows/*": serveMany({ order, invoice }) } })`. */
export const serveMany: ServeMany<BunHandler> = serveManyAs(toBun);

export { createWorkflow } from "@perdure/core";
