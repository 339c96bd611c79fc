import type { Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type Route = (request: Request, context?: RouteContext) => Promise<Response>;

/** Next.js passes this beside a request. */
interface RouteContext {
  /** The parameters of a dynamic route, such as `[...any]`. */
  readonly params?: Promise<object>;
}

/** A workflow's handler as a route of the app router: `export const { POST } = toNext(handler)`. */
export function toNext(handler: Handler): { POST: Route } {
  return { POST: async (request, context) => handler(await withoutRouteParams(request, context)) };
}

// On its edge runtime Next.js adds the parameters of a dynamic route to the query of the URL, for which no token was made.
async function withoutRouteParams(request: Request, context: RouteContext | undefined): Promise<Request> {
  const params = "EdgeRuntime" in globalThis ? await context?.params : undefined;
  const url = new URL(request.url);
  for (const name of Object.keys(params ?? {})) url.searchParams.delete(name);
  return url.href === request.url ? request : new Request(url, request);
}

/** `serve` of `@perdure/core`, as a route of the app router: `export const { POST } = serve(workflow)`. */
export const serve: Serve<{ POST: Route }> = serveAs(toNext);

/** `serveMany` of `@perdure/core`, as a route of the app router: `export const { POST } = serveMany({ order, invoice })`. */
export const serveMany: ServeMany<{ POST: Route }> = serveManyAs(toNext);

export { createWorkflow } from "@perdure/core";
export {
  createWorkflow as createWorkflowPagesRouter,
  serve as servePagesRouter,
  serveMany as serveManyPagesRouter,
} from "./nextjs-pages.ts";
