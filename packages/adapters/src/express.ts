import type { Handler } from "@perdure/core";
import { type IncomingMessage, respond, type ServerResponse } from "./internal/node-http.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** Answers each request itself: `next` is there for code that passes it, and is never called. */
type ExpressHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => Promise<void>;

const REMEDY =
  "Mount the workflow before `express.json()`, put `express.raw({ type: () => true })` in its place there, or keep the bytes: `express.json({ verify: (req, _res, bytes) => { req.rawBody = bytes } })`.";

/** A workflow's handler for Express 4 and 5: `app.post("/order", toExpress(handler))`. */
export function toExpress(handler: Handler): ExpressHandler {
  return (request, response) => respond(handler, request, response, REMEDY);
}

/** `serve` of `@perdure/core`, as a handler of Express: `app.use("/order", serve(workflow))`. */
export const serve: Serve<ExpressHandler> = serveAs(toExpress);

/** `serveMany` of `@perdure/core`, as a handler of Express: `app.use("/workflows", serveMany({ order, invoice }))`. */
export const serveMany: ServeMany<ExpressHandler> = serveManyAs(toExpress);

export { createWorkflow } from "@perdure/core";
