import type { Handler } from "@perdure/core";
import { type IncomingMessage, respond, type ServerResponse } from "./internal/node-http.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type NodeListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const REMEDY = "Mount the workflow before any body parser.";

/**
 * Turns the handler of a workflow into a listener of `node:http`.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 *
 * const { handler } = serve(order); // of @perdure/core
 * createServer(toNode(handler)).listen(3000);
 * ```
 */
export function toNode(handler: Handler): NodeListener {
  return (request, response) => respond(handler, { incoming: request, outgoing: response }, REMEDY);
}

/**
 * Serves a workflow as a listener of `node:http`.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { serve } from "@perdure/adapters/node";
 *
 * const order = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * createServer(order).listen(3000);
 * ```
 */
export const serve: Serve<NodeListener> = serveAs(toNode);

/**
 * Serves several workflows as a listener of `node:http`.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { createWorkflow, serveMany } from "@perdure/adapters/node";
 *
 * const workflows = serveMany({ order: createWorkflow(order), invoice: createWorkflow(invoice) });
 * createServer(workflows).listen(3000);
 * ```
 */
export const serveMany: ServeMany<NodeListener> = serveManyAs(toNode);

export { createWorkflow } from "@perdure/core";
