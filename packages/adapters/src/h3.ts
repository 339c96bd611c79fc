import type { Handler } from "@perdure/core";
import { bindingsOf } from "./internal/bindings.ts";
import { withFunctionLimits } from "./internal/limits.ts";
import { type IncomingMessage, type ServerResponse, toRequest } from "./internal/node-http.ts";
import { isRewritten } from "./internal/path.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** The adapter reads these fields of an event: a `Request` in version 2, Node's objects in version 1, which Nuxt and Nitro 2 use. */
interface H3Event {
  readonly req?: unknown;
  readonly web?: { readonly request?: Request | undefined } | undefined;
  readonly node?: { readonly req: IncomingMessage; readonly res?: ServerResponse } | undefined;
  readonly context: object;
  readonly runtime?:
    | {
        readonly cloudflare?: unknown;
        readonly node?: { readonly req: { readonly url?: string | undefined } } | undefined;
      }
    | undefined;
}

type H3Handler = (event: H3Event) => Promise<Response>;

const REMEDY = "Mount the workflow before code that reads the body.";

/**
 * Turns the handler of a workflow into an event handler of h3, Nitro or Nuxt.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export default toH3(handler).handler;
 * ```
 */
export function toH3(handler: Handler): { handler: H3Handler } {
  const limited = withFunctionLimits(handler);
  const route: H3Handler = async (event) => {
    const { context, runtime } = event;
    // The path as the client sent it. The check doesn't throw, because version 2 answers 500 to errors that aren't its own.
    if (isRewritten((runtime?.node ?? event.node)?.req.url ?? "")) return new Response(null, { status: 400 });
    const cloudflare = "cloudflare" in context ? context.cloudflare : runtime?.cloudflare;
    return limited(requestOf(event), bindingsOf(cloudflare));
  };
  // Version 1 recognizes event handlers by this property.
  return { handler: Object.assign(route, { __is_handler__: true }) };
}

function requestOf({ req, web, node }: H3Event): Request {
  if (req instanceof Request) return req;
  if (web?.request) return web.request;
  if (node?.res) return toRequest(node.req, node.res, REMEDY);
  throw new TypeError("The argument is not an event of h3.");
}

/**
 * Serves a workflow as an event handler of h3, Nitro or Nuxt.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/h3";
 *
 * export default serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * }).handler;
 * ```
 */
export const serve: Serve<{ handler: H3Handler }> = serveAs(toH3);

/**
 * Serves several workflows as an event handler of h3, Nitro or Nuxt.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/h3";
 *
 * export default serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * }).handler;
 * ```
 */
export const serveMany: ServeMany<{ handler: H3Handler }> = serveManyAs(toH3);

export { createWorkflow } from "@perdure/core";
