import type { Handler, Jsonify, JsonServeOptions, RecordableWorkflow, ServeOptions } from "@perdure/core";
import { bindingsOf } from "./internal/bindings.ts";
import { withBody } from "./internal/body.ts";
import { type ServeMany, serveAs, serveManyAs, type Typed } from "./internal/serve.ts";

/** The adapter reads the raw request, the kept body and the platform's bindings of a Hono context. */
interface HonoContext<Bindings = unknown, Variables = unknown> {
  readonly req: { readonly raw: Request; readonly bodyCache: HonoBodies };
  readonly env?: Bindings;
  readonly var?: Variables;
}

/**
 * The bindings of a Worker that a workflow reads: `new Hono<{ Bindings: WorkflowBindings }>()`. Perdure's names win over those
 * of QStash, which are declared as `@upstash/workflow/hono` declares them.
 */
export interface WorkflowBindings {
  PERDURE_TOKEN?: string;
  PERDURE_URL?: string;
  PERDURE_CURRENT_SIGNING_KEY?: string;
  PERDURE_NEXT_SIGNING_KEY?: string;
  PERDURE_WORKFLOW_URL?: string;
  QSTASH_TOKEN: string;
  QSTASH_URL?: string;
  QSTASH_CURRENT_SIGNING_KEY?: string;
  QSTASH_NEXT_SIGNING_KEY?: string;
  UPSTASH_WORKFLOW_URL?: string;
}

interface HonoBodies {
  readonly arrayBuffer?: ArrayBuffer | Promise<ArrayBuffer>;
  readonly text?: string | Promise<string>;
}

type HonoHandler<Bindings = unknown, Variables = unknown> = (
  context: HonoContext<Bindings, Variables>,
) => Promise<Response>;

/** The type parameters have the order of `@upstash/workflow/hono`. The route fits an app with any bindings and variables. */
interface ServeHono {
  <Payload = unknown, Bindings = unknown, Variables = unknown, Result = unknown>(
    workflow: RecordableWorkflow<Jsonify<Payload>, Result>,
    options?: JsonServeOptions<Payload, Result>,
  ): Typed<HonoHandler<Bindings, Variables>, Payload, Result>;
  <Payload = unknown, Bindings = unknown, Variables = unknown, Result = unknown>(
    workflow: RecordableWorkflow<Payload, Result>,
    options?: ServeOptions<Payload, Result>,
  ): Typed<HonoHandler<Bindings, Variables>, Payload, Result>;
}

const REMEDY =
  "Mount the workflow before any middleware that reads the body, or make that middleware read `c.req.text()`.";

/**
 * Turns the handler of a workflow into a route of Hono.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * app.post("/order", toHono(handler));
 * ```
 */
export function toHono(handler: Handler): HonoHandler {
  return async (context) => {
    const { raw, bodyCache } = context.req;
    const kept = await (bodyCache.arrayBuffer ?? bodyCache.text);
    return handler(withBody(raw, kept, REMEDY), bindingsOf(context));
  };
}

/**
 * Serves a workflow as a route of Hono.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/hono";
 *
 * const order = serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * app.post("/order", order);
 * ```
 */
export const serve: ServeHono = serveAs(toHono);

/**
 * Serves several workflows as a route of Hono.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/hono";
 *
 * app.post("/workflows/*", serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * }));
 * ```
 */
export const serveMany: ServeMany<HonoHandler> = serveManyAs(toHono);

export { createWorkflow } from "@perdure/core";
