import type { Handler } from "@perdure/core";
import { type IncomingMessage, type ServerResponse, toRequest } from "./internal/node-http.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** The adapter calls these methods of a Fastify instance. */
interface FastifyScope {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(type: string, parser: LeaveUnread): unknown;
  all(path: string, route: FastifyRoute): unknown;
}

type LeaveUnread = (request: unknown, payload: unknown, done: (error: null) => void) => void;

type FastifyRoute = (
  request: { readonly raw: IncomingMessage },
  reply: { readonly raw: ServerResponse },
) => Promise<Response>;

type FastifyPlugin = (scope: FastifyScope, options: object, done: () => void) => void;

const REMEDY = "Hooks in the scope of the workflow must not read it.";

/**
 * Turns the handler of a workflow into a plugin of Fastify. Within the plugin, bodies stay unread; outside of it, Fastify
 * parses them as before.
 *
 * @param path the route below the prefix; `/*` matches every path
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * app.register(toFastify(handler), { prefix: "/order" });
 * ```
 */
export function toFastify(handler: Handler, path = "/"): FastifyPlugin {
  return (scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
    scope.all(path, (request, reply) => handler(toRequest(request.raw, reply.raw, REMEDY)));
    done();
  };
}

/**
 * Serves a workflow as a plugin of Fastify.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/fastify";
 *
 * const order = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * app.register(order, { prefix: "/order" });
 * ```
 */
export const serve: Serve<FastifyPlugin> = serveAs((handler) => toFastify(handler));

/**
 * Serves several workflows as a plugin of Fastify.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/fastify";
 *
 * const workflows = serveMany({ order: createWorkflow(order), invoice: createWorkflow(invoice) });
 * app.register(workflows, { prefix: "/workflows" });
 * ```
 */
export const serveMany: ServeMany<FastifyPlugin> = serveManyAs((handler) => toFastify(handler, "/*"));

export { createWorkflow } from "@perdure/core";
