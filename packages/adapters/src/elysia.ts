import type { Handler } from "@perdure/core";
import { withBody } from "./internal/body.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type ElysiaHandler = (context: { readonly request: Request }) => Promise<Response>;

const REMEDY = 'Make Elysia leave it unread: `app.post("/order", serve(workflow), { parse: "none" })`.';

/**
 * Turns the handler of a workflow into a handler of Elysia.
 * `parse: "none"` makes Elysia leave the body unread, whose bytes the signature covers.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * new Elysia().post("/order", toElysia(handler), { parse: "none" });
 * ```
 */
export function toElysia(handler: Handler): ElysiaHandler {
  return ({ request }) => handler(withBody(request, undefined, REMEDY));
}

/**
 * Serves a workflow as a handler of Elysia.
 * `parse: "none"` makes Elysia leave the body unread, whose bytes the signature covers.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/elysia";
 *
 * const order = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * new Elysia().post("/order", order, { parse: "none" });
 * ```
 */
export const serve: Serve<ElysiaHandler> = serveAs(toElysia);

/**
 * Serves several workflows as a handler of Elysia.
 * The last segment of a request's URL is the key of its workflow.
 * `parse: "none"` makes Elysia leave the body unread, whose bytes the signature covers.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/elysia";
 *
 * const workflows = serveMany({ order: createWorkflow(order), invoice: createWorkflow(invoice) });
 * new Elysia().post("/workflows/*", workflows, { parse: "none" });
 * ```
 */
export const serveMany: ServeMany<ElysiaHandler> = serveManyAs(toElysia);

export { createWorkflow } from "@perdure/core";
