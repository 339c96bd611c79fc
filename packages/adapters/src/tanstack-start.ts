import type { Handler } from "@perdure/core";
import { withFunctionLimits } from "./internal/limits.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type ServerRoute = (context: { readonly request: Request }) => Promise<Response>;

/**
 * Turns the handler of a workflow into the handlers of a server route.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export const Route = createFileRoute("/order")({
 *   server: { handlers: toTanStackStart(handler) },
 * });
 * ```
 */
export function toTanStackStart(handler: Handler): { POST: ServerRoute } {
  const limited = withFunctionLimits(handler);
  return { POST: ({ request }) => limited(request) };
}

/**
 * Serves a workflow as the handlers of a server route.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/tanstack-start";
 *
 * const order = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * export const Route = createFileRoute("/order")({
 *   server: { handlers: order },
 * });
 * ```
 */
export const serve: Serve<{ POST: ServerRoute }> = serveAs(toTanStackStart);

/**
 * Serves several workflows as the handlers of a server route.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/tanstack-start";
 *
 * const workflows = serveMany({ order: createWorkflow(order), invoice: createWorkflow(invoice) });
 * export const Route = createFileRoute("/workflows/$")({
 *   server: { handlers: workflows },
 * });
 * ```
 */
export const serveMany: ServeMany<{ POST: ServerRoute }> = serveManyAs(toTanStackStart);

export { createWorkflow } from "@perdure/core";
