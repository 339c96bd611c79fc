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

/**
 * Turns the handler of a workflow into a middleware of Koa that answers the request.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * router.post("/order", toKoa(handler));
 * ```
 */
export function toKoa(handler: Handler): KoaMiddleware {
  return (context) => {
    context.respond = false; // The adapter writes the answer to Node's response itself.
    return respond(
      handler,
      { incoming: context.req, outgoing: context.res, parsed: context.request },
      REMEDY,
    );
  };
}

/**
 * Serves a workflow as a middleware of Koa that answers the request.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/koa";
 *
 * const order = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * router.post("/order", order);
 * ```
 */
export const serve: Serve<KoaMiddleware> = serveAs(toKoa);

/**
 * Serves several workflows as a middleware of Koa that answers the request.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/koa";
 *
 * router.post("/workflows/:key", serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * }));
 * ```
 */
export const serveMany: ServeMany<KoaMiddleware> = serveManyAs(toKoa);

export { createWorkflow } from "@perdure/core";
