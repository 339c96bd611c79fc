import type { Handler } from "@perdure/core";
import { withFunctionLimits } from "./internal/limits.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type Action = (args: { readonly request: Request }) => Promise<Response>;

/**
 * Turns the handler of a workflow into the action of a resource route.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export const action = toReactRouter(handler);
 * ```
 */
export function toReactRouter(handler: Handler): Action {
  const limited = withFunctionLimits(handler);
  return ({ request }) => limited(request);
}

/**
 * Serves a workflow as the action of a resource route.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/react-router";
 *
 * export const action = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * ```
 */
export const serve: Serve<Action> = serveAs(toReactRouter);

/**
 * Serves several workflows as the action of a resource route.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/react-router";
 *
 * export const action = serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * });
 * ```
 */
export const serveMany: ServeMany<Action> = serveManyAs(toReactRouter);

export { createWorkflow } from "@perdure/core";
