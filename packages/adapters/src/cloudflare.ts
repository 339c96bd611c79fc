import type { Env, Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

/** The adapter reads these fields of the context that Pages passes. */
interface PagesContext {
  readonly request: Request;
  readonly env: unknown;
}

type WorkerHandler = (
  ...args: [request: Request, env: unknown] | [context: PagesContext]
) => Promise<Response>;

/**
 * Turns the handler of a workflow into a Worker, or a function of Pages.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * export default toCloudflare(handler);
 * ```
 */
export function toCloudflare(handler: Handler): { fetch: WorkerHandler } {
  return {
    fetch: (...args) => {
      const [request, env] = args.length === 1 ? [args[0].request, args[0].env] : args;
      return handler(request, isEnvironment(env) ? env : undefined);
    },
  };
}

// An environment also has bindings that aren't strings; core reads only its own variables.
function isEnvironment(env: unknown): env is Env {
  return typeof env === "object" && env !== null;
}

/**
 * Serves a workflow as a Worker, or a function of Pages.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/cloudflare";
 *
 * export default serve(async (context) => {
 *   await context.run("greet", () => console.log("hello"));
 * });
 * ```
 */
export const serve: Serve<{ fetch: WorkerHandler }> = serveAs(toCloudflare);

/**
 * Serves several workflows as a Worker, or a function of Pages.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/cloudflare";
 *
 * export default serveMany({
 *   order: createWorkflow(order),
 *   invoice: createWorkflow(invoice),
 * });
 * ```
 */
export const serveMany: ServeMany<{ fetch: WorkerHandler }> = serveManyAs(toCloudflare);

export { createWorkflow } from "@perdure/core";
