import type { Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type Route = (request: Request) => Promise<Response>;

/** A workflow's handler as a route of the app router: `export const { POST } = toNext(handler)`. */
export function toNext(handler: Handler): { POST: Route } {
  return { POST: (request) => handler(request) };
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
