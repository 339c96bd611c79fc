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

const REMEDY = "Keep hooks from reading it in the scope in which the workflow is registered.";

/**
 * A workflow's handler as a plugin of Fastify: `app.register(toFastify(handler), { prefix: "/order" })`. Bodies are left
 * unread within it, and parsed as before everywhere else.
 *
 * @param path below the prefix, `/*` for whatever is there
 */
export function toFastify(handler: Handler, path = "/"): FastifyPlugin {
  return (scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
    scope.all(path, (request, reply) => handler(toRequest(request.raw, reply.raw, REMEDY)));
    done();
  };
}

/** `serve` of `@perdure/core`, as a plugin of Fastify: `app.register(serve(workflow), { prefix: "/order" })`. */
export const serve: Serve<FastifyPlugin> = serveAs((handler) => toFastify(handler));

/**
 * `serveMany` of `@perdure/core`, as a plugin of Fastify:
 * `app.register(serveMany({ order, invoice }), { prefix: "/workflows" })`.
 */
export const serveMany: ServeMany<FastifyPlugin> = serveManyAs((handler) => toFastify(handler, "/*"));

export { createWorkflow } from "@perdure/core";
