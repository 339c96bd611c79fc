import type { Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type Action = (args: { readonly request: Request }) => Promise<Response>;

/** A workflow's handler as the action of a resource route: `export const action = toReactRouter(handler)`. */
export function toReactRouter(handler: Handler): Action {
  return ({ request }) => handler(request);
}

/** `serve` of `@perdure/core`, as the action of a resource route: `export const action = serve(workflow)`. */
export const serve: Serve<Action> = serveAs(toReactRouter);

/** `serveMany` of `@perdure/core`, as the action of a resource route: `export const action = serveMany({ order, invoice })`. */
export const serveMany: ServeMany<Action> = serveManyAs(toReactRouter);

export { createWorkflow } from "@perdure/core";
