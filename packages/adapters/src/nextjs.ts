import type { Handler } from "@perdure/core";
import { withFunctionLimits } from "./internal/limits.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type Route = (request: Request, context?: RouteContext) => Promise<Response>;

/** Next.js passes this beside a request. */
interface RouteContext {
  /** The parameters of a dynamic route, such as `[...any]`. */
  readonly params?: Promise<object>;
}

/**
 * Turns the handler of a workflow into a route of the app router.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export const { POST } = toNext(handler);
 * ```
 */
export function toNext(handler: Handler): { POST: Route } {
  const limited = withFunctionLimits(handler);
  return { POST: async (request, context) => limited(await withoutRouteParams(request, context)) };
}

// On its edge runtime, Next.js adds a dynamic route's parameters to the URL's query. The token was made for the URL without them.
async function withoutRouteParams(request: Request, context: RouteContext | undefined): Promise<Request> {
  const params = "EdgeRuntime" in globalThis ? await context?.params : undefined;
  const url = new URL(request.url);
  for (const name of Object.keys(params ?? {})) url.searchParams.delete(name);
  return url.href === request.url ? request : new Request(url, request);
}

/**
 * Serves a workflow as a route of the app router.
 *
 * @example
 * ```ts
 * // app/api/order/route.ts
 * import { serve } from "@perdure/adapters/nextjs";
 *
 * export const { POST } = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * ```
 */
export const serve: Serve<{ POST: Route }> = serveAs(toNext);

/**
 * Serves several workflows as a route of the app router.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * // app/api/workflows/[key]/route.ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/nextjs";
 *
 * export const { POST } = serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * });
 * ```
 */
export const serveMany: ServeMany<{ POST: Route }> = serveManyAs(toNext);

export { createWorkflow } from "@perdure/core";
export {
  createWorkflow as createWorkflowPagesRouter,
  serve as servePagesRouter,
  serveMany as serveManyPagesRouter,
} from "./nextjs-pages.ts";
