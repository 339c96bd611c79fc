import type { Handler } from "@perdure/core";
import { withFunctionLimits } from "./internal/limits.ts";
import { type IncomingMessage, respond, type ServerResponse } from "./internal/node-http.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type ApiRoute = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const REMEDY =
  "Next.js parses it: add `export const config = { api: { bodyParser: false } }` to the file of the API route.";

/**
 * Turns the handler of a workflow into an API route of the pages router.
 * The signature covers the body's bytes, so the file must switch off the body parser of Next.js.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export default toNextPages(handler).handler;
 * export const config = { api: { bodyParser: false } };
 * ```
 */
export function toNextPages(handler: Handler): { handler: ApiRoute } {
  const limited = withFunctionLimits(handler);
  return {
    handler: (request, response) => respond(limited, { incoming: request, outgoing: response }, REMEDY),
  };
}

/**
 * Serves a workflow as an API route of the pages router.
 * The signature covers the body's bytes, so the file must switch off the body parser of Next.js.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/nextjs-pages";
 *
 * export default serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * }).handler;
 * export const config = { api: { bodyParser: false } };
 * ```
 */
export const serve: Serve<{ handler: ApiRoute }> = serveAs(toNextPages);

/**
 * Serves several workflows as an API route of the pages router.
 * The last segment of a request's URL is the key of its workflow.
 * The signature covers the body's bytes, so the file must switch off the body parser of Next.js.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/nextjs-pages";
 *
 * export default serveMany({ order: createWorkflow(order), invoice: createWorkflow(invoice) }).handler;
 * export const config = { api: { bodyParser: false } };
 * ```
 */
export const serveMany: ServeMany<{ handler: ApiRoute }> = serveManyAs(toNextPages);

export { createWorkflow } from "@perdure/core";
