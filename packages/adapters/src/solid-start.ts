import type { Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type ApiRoute = (event: { readonly request: Request }) => Promise<Response>;

/** A workflow's handler as an API route: `export const { POST } = toSolidStart(handler)`. */
export function toSolidStart(handler: Handler): { POST: ApiRoute } {
  return { POST: ({ request }) => handler(request) };
}

/** `serve` of `@perdure/core`, as an API route: `export const { POST } = serve(workflow)`. */
export const serve: Serve<{ POST: ApiRoute }> = serveAs(toSolidStart);

/** `serveMany` of `@perdure/core`, as an API route: `export const { POST } = serveMany({ order, invoice })`. */
export const serveMany: ServeMany<{ POST: ApiRoute }> = serveManyAs(toSolidStart);

export { createWorkflow } from "@perdure/core";
