import type { Handler } from "@perdure/core";
import { type IncomingMessage, respond, type ServerResponse } from "./internal/node-http.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** The adapter uses these fields of a Koa context: Node's objects, the URL, and the body that a parser keeps. */
interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly request: { readonly originalUrl: string; readonly rawBody?: unknown; readonly body?: unknown };
  respond?: boolean | undefined;
}

type KoaMiddleware = (context: KoaContext) => Promise<void>;

const REMEDY = "Mount the workflow before any body parser.";

/** A workflow's handler as the last middleware of Koa: `router.post("/order", toKoa(handler))`. */
export function toKoa(handler: Handler): KoaMiddleware {
  return (context) => {
    context.respond = false; // The bytes of the answer go straight to Node.
    return respond(handler, context.req, context.res, REMEDY, context.request);
  };
}

/** `serve` of `@perdure/core`, as a middleware of Koa: `router.post("/order", serve(workflow))`. */
export const serve: Serve<KoaMiddleware> = serveAs(toKoa);

/** `serveMany` of `@perdure/core`, as a middleware of Koa: `router.post("/workflows/:key", serveMany({ order, invoice }))`. */
export const serveMany: ServeMany<KoaMiddleware> = serveManyAs(toKoa);

export { createWorkflow } from "@perdure/core";
