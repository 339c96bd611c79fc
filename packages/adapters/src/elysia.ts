import type { Handler } from "@perdure/core";
import { withBody } from "./internal/body.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type ElysiaHandler = (context: { readonly request: Request }) => Promise<Response>;

const REMEDY = 'Tell Elysia to leave it: `app.post("/order", serve(workflow), { parse: "none" })`.';

/** A workflow's handler as a handler of Elysia: `app.post("/order", toElysia(handler), { parse: "none" })`. */
export function toElysia(handler: Handler): ElysiaHandler {
  return ({ request }) => handler(withBody(request, undefined, REMEDY));
}

/** `serve` of `@perdure/core`, as a handler of Elysia: `app.post("/order", serve(workflow), { parse: "none" })`. */
export const serve: Serve<ElysiaHandler> = serveAs(toElysia);

/** `serveMany` of `@perdure/core`, as a handler of Elysia: `app.post("/workflows/*", serveMany({ order, invoice }), { parse: "none" })`. */
export const serveMany: ServeMany<ElysiaHandler> = serveManyAs(toElysia);

export { createWorkflow } from "@perdure/core";
