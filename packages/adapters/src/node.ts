import type { Handler } from "@perdure/core";
import { type IncomingMessage, respond, type ServerResponse } from "./internal/node-http.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type NodeListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const REMEDY = "Mount the workflow before any body parser.";

/** A workflow's handler as a listener of `node:http`: `createServer(toNode(handler))`. */
export function toNode(handler: Handler): NodeListener {
  return (request, response) => respond(handler, request, response, REMEDY);
}

/** `serve` of `@perdure/core`, as a listener of `node:http`: `createServer(serve(workflow))`. */
export const serve: Serve<NodeListener> = serveAs(toNode);

/** `serveMany` of `@perdure/core`, as a listener of `node:http`: `createServer(serveMany({ order, invoice }))`. */
export const serveMany: ServeMany<NodeListener> = serveManyAs(toNode);

export { createWorkflow } from "@perdure/core";
