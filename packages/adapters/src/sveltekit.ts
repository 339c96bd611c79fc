import type { Handler } from "@perdure/core";
import { bindingsOf } from "./internal/bindings.ts";
import { withFunctionLimits } from "./internal/limits.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** The adapter reads these fields of a request event; `platform` has the bindings of Workers. */
interface RequestEvent {
  readonly request: Request;
  readonly platform?: unknown;
}

type Endpoint = (event: RequestEvent) => Promise<Response>;

/**
 * Turns the handler of a workflow into an endpoint of SvelteKit.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export const { POST } = toSvelteKit(handler);
 * ```
 */
export function toSvelteKit(handler: Handler): { POST: Endpoint } {
  const limited = withFunctionLimits(handler);
  return { POST: ({ request, platform }) => limited(request, bindingsOf(platform)) };
}

/**
 * Serves a workflow as an endpoint of SvelteKit.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/sveltekit";
 *
 * export const { POST } = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * ```
 */
export const serve: Serve<{ POST: Endpoint }> = serveAs(toSvelteKit);

/**
 * Serves several workflows as an endpoint of SvelteKit.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/sveltekit";
 *
 * export const { POST } = serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * });
 * ```
 */
export const serveMany: ServeMany<{ POST: Endpoint }> = serveManyAs(toSvelteKit);

export { createWorkflow } from "@perdure/core";
