import type { Handler } from "@perdure/core";
import { type IncomingMessage, respond, type ServerResponse } from "./internal/node-http.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** Answers each request itself. It accepts `next`, and never calls it. */
type ExpressHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => Promise<void>;

const REMEDY =
  "Mount the workflow before `express.json()`, put `express.raw({ type: () => true })` in its place there, or keep the bytes: `express.json({ verify: (req, _res, bytes) => { req.rawBody = bytes } })`.";

/**
 * Turns the handler of a workflow into a handler of Express 4 or 5.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * app.post("/order", toExpress(handler));
 * ```
 */
export function toExpress(handler: Handler): ExpressHandler {
  return (request, response) => respond(handler, { incoming: request, outgoing: response }, REMEDY);
}

/**
 * Serves a workflow as a handler of Express 4 or 5.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/express";
 *
 * const order = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * app.post("/order", order);
 * ```
 */
export const serve: Serve<ExpressHandler> = serveAs(toExpress);

/**
 * Serves several workflows as a handler of Express 4 or 5.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/express";
 *
 * app.use("/workflows", serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * }));
 * ```
 */
export const serveMany: ServeMany<ExpressHandler> = serveManyAs(toExpress);

export { createWorkflow } from "@perdure/core";
