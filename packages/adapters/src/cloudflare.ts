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

/** A workflow's handler as a Worker: `export default toCloudflare(handler)`. */
export function toCloudflare(handler: Handler): { fetch: WorkerHandler } {
  return {
    fetch: (...args) => {
      const [request, env] = args.length === 1 ? [args[0].request, args[0].env] : args;
      return handler(request, isEnvironment(env) ? env : undefined);
    },
  };
}

// Beside texts it has the bindings to everything else: core reads only the variables that it knows.
function isEnvironment(env: unknown): env is Env {
  return typeof env === "object" && env !== null;
}

/** `serve` of `@perdure/core`, as a Worker: `export default serve(workflow)`. */
export const serve: Serve<{ fetch: WorkerHandler }> = serveAs(toCloudflare);

/** `serveMany` of `@perdure/core`, as a Worker: `export default serveMany({ order, invoice })`. */
export const serveMany: ServeMany<{ fetch: WorkerHandler }> = serveManyAs(toCloudflare);

export { createWorkflow } from "@perdure/core";
