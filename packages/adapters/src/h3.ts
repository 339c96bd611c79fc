import type { Handler } from "@perdure/core";
import { bindingsOf } from "./internal/bindings.ts";
import { type IncomingMessage, type ServerResponse, toRequest } from "./internal/node-http.ts";
import { isRewritten } from "./internal/path.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** The adapter reads these fields of an event: of version 2 a `Request`; of version 1, which Nuxt and Nitro 2 have, Node's own objects. */
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

const REMEDY = "Mount the workflow before whatever reads the body.";

/** A workflow's handler as an event handler: `export default toH3(handler).handler`. */
export function toH3(handler: Handler): { handler: H3Handler } {
  const route: H3Handler = async (event) => {
    const { context, runtime } = event;
    // The path as it was sent. Version 2 answers 500 to errors that aren't its own.
    if (isRewritten((runtime?.node ?? event.node)?.req.url ?? "")) return new Response(null, { status: 400 });
    const cloudflare = "cloudflare" in context ? context.cloudflare : runtime?.cloudflare;
    return handler(requestOf(event), bindingsOf(cloudflare));
  };
  // Version 1 knows event handlers by this property.
  return { handler: Object.assign(route, { __is_handler__: true }) };
}

function requestOf({ req, web, node }: H3Event): Request {
  if (req instanceof Request) return req;
  if (web?.request) return web.request;
  if (node?.res) return toRequest(node.req, node.res, REMEDY);
  throw new TypeError("This isn't an event of h3.");
}

/** `serve` of `@perdure/core`, as an event handler: `export default serve(workflow).handler`. */
export const serve: Serve<{ handler: H3Handler }> = serveAs(toH3);

/** `serveMany` of `@perdure/core`, as an event handler: `export default serveMany({ order, invoice }).handler`. */
export const serveMany: ServeMany<{ handler: H3Handler }> = serveManyAs(toH3);

export { createWorkflow } from "@perdure/core";
