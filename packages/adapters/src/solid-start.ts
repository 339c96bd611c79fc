import type { Handler } from "@perdure/core";
import { withFunctionLimits } from "./internal/limits.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type ApiRoute = (event: { readonly request: Request }) => Promise<Response>;

/**
 * Turns the handler of a workflow into an API route of SolidStart.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export const { POST } = toSolidStart(handler);
 * ```
 */
export function toSolidStart(handler: Handler): { POST: ApiRoute } {
  const limited = withFunctionLimits(handler);
  return { POST: ({ request }) => limited(request) };
}

/**
 * Serves a workflow as an API route of SolidStart.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/solid-start";
 *
 * export const { POST } = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * ```
 */
export const serve: Serve<{ POST: ApiRoute }> = serveAs(toSolidStart);

/**
 * Serves several workflows as an API route of SolidStart.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/solid-start";
 *
 * export const { POST } = serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * });
 * ```
 */
export const serveMany: ServeMany<{ POST: ApiRoute }> = serveManyAs(toSolidStart);

export { createWorkflow } from "@perdure/core";
