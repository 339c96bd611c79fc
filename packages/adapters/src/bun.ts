import type { Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type BunHandler = (request: Request) => Promise<Response>;

/**
 * Turns the handler of a workflow into a route of Bun.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * Bun.serve({ routes: { "/order": toBun(handler) } });
 * ```
 */
export function toBun(handler: Handler): BunHandler {
  return (request) => handler(request);
}

/**
 * Serves a workflow as a route of Bun.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/bun";
 *
 * const order = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * Bun.serve({ routes: { "/order": order } });
 * ```
 */
export const serve: Serve<BunHandler> = serveAs(toBun);

/**
 * Serves several workflows as a route of Bun.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/bun";
 *
 * const workflows = serveMany({ order: createWorkflow(order), invoice: createWorkflow(invoice) });
 * Bun.serve({ routes: { "/workflows/*": workflows } });
 * ```
 */
export const serveMany: ServeMany<BunHandler> = serveManyAs(toBun);

export { createWorkflow } from "@perdure/core";
