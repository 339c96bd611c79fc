import {
  type Env,
  type Handler,
  type ServeOptions,
  serve as serveCore,
  type WorkflowFunction,
} from "@perdure/core";

/** What is read of a Hono context: the raw request, and the bindings of platforms that have them. */
interface HonoContext {
  readonly req: { readonly raw: Request };
  readonly env?: unknown;
}

type HonoHandler = (context: HonoContext) => Promise<Response>;

/** A workflow's handler as a Hono route: `app.post("/order", toHono(handler))`. */
export function toHono(handler: Handler): HonoHandler {
  return ({ req, env }) => handler(req.raw, isEnvironment(env) ? env : undefined);
}

/** `serve` of `@perdure/core`, as a Hono route. */
export function serve<Payload = unknown, Result = unknown>(
  workflow: WorkflowFunction<Payload, Result>,
  options?: ServeOptions<Payload>,
): HonoHandler {
  return toHono(serveCore(workflow, options).handler);
}

// On Workers `env` holds the variables; on Node it holds the server's own objects instead.
function isEnvironment(env: unknown): env is Env {
  return typeof env === "object" && env !== null && "QSTASH_TOKEN" in env;
}
