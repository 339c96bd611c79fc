import type { Handler } from "@perdure/core";
import { bindingsOf } from "./internal/bindings.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** The adapter reads these fields of a request event; `platform` has the bindings of Workers. */
interface RequestEvent {
  readonly request: Request;
  readonly platform?: unknown;
}

type Endpoint = (event: RequestEvent) => Promise<Response>;

/** A workflow's handler as an endpoint of SvelteKit: `export const { POST } = toSvelteKit(handler)`. */
export function toSvelteKit(handler: Handler): { POST: Endpoint } {
  return { POST: ({ request, platform }) => handler(request, bindingsOf(platform)) };
}

/** `serve` of `@perdure/core`, as an endpoint of SvelteKit: `export const { POST } = serve(workflow)`. */
export const serve: Serve<{ POST: Endpoint }> = serveAs(toSvelteKit);

/** `serveMany` of `@perdure/core`, as an endpoint of SvelteKit: `export const { POST } = serveMany({ order, invoice })`. */
export const serveMany: ServeMany<{ POST: Endpoint }> = serveManyAs(toSvelteKit);

export { createWorkflow } from "@perdure/core";
