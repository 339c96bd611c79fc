import type { Handler } from "@perdure/core";
import { type IncomingMessage, respond, type ServerResponse } from "./internal/node-http.ts";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type ApiRoute = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const REMEDY =
  "Next.js parses it: say `export const config = { api: { bodyParser: false } }` in the file of the API route.";

/**
 * A workflow's handler as an API route of the pages router. The file also has to say
 * `export const config = { api: { bodyParser: false } }`.
 */
export function toNextPages(handler: Handler): { handler: ApiRoute } {
  return { handler: (request, response) => respond(handler, request, response, REMEDY) };
}

/** `serve` of `@perdure/core`, as an API route of the pages router: `export default serve(workflow).handler`. */
export const serve: Serve<{ handler: ApiRoute }> = serveAs(toNextPages);

/** `serveMany` of `@perdure/core`, as an API route of the pages router: `export default serveMany({ order, invoice }).handler`. */
export const serveMany: ServeMany<{ handler: ApiRoute }> = serveManyAs(toNextPages);

export { createWorkflow } from "@perdure/core";
