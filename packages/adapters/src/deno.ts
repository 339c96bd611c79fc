import type { Env, Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type DenoHandler = (request: Request) => Promise<Response>;

/** The adapter calls this method of Deno. */
interface Runtime {
  readonly env: { get(name: string): string | undefined };
  readonly permissions: { querySync(of: { name: "env"; variable: string }): { readonly state: string } };
}

/** Reads a variable only on access. A variable without permission counts as unset, so Deno never prompts. */
const env: Env = new Proxy<Record<string, string | undefined>>(
  {},
  {
    get: (_, name) => (typeof name === "string" ? variable(name) : undefined),
    has: (_, name) => typeof name === "string" && variable(name) !== undefined,
  },
);

function variable(name: string): string | undefined {
  const { Deno } = globalThis as unknown as { Deno: Runtime };
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}

/**
 * Turns the handler of a workflow into a handler of Deno.
 *
 * @example
 * ```ts
 * const { handler } = serve(order); // of @perdure/core
 * Deno.serve(toDeno(handler));
 * ```
 */
export function toDeno(handler: Handler): DenoHandler {
  return (request) => handler(request, env);
}

/**
 * Serves a workflow as a handler of Deno.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/adapters/deno";
 *
 * Deno.serve(
 *   serve(async (context) => {
 *     await context.run("greet", () => console.log("hello"));
 *   }),
 * );
 * ```
 */
export const serve: Serve<DenoHandler> = serveAs(toDeno);

/**
 * Serves several workflows as a handler of Deno.
 * The last segment of a request's URL is the key of its workflow.
 *
 * @example
 * ```ts
 * import { createWorkflow, serveMany } from "@perdure/adapters/deno";
 *
 * const workflows = serveMany({ order: createWorkflow(order), invoice: createWorkflow(invoice) });
 * Deno.serve(workflows);
 * ```
 */
export const serveMany: ServeMany<DenoHandler> = serveManyAs(toDeno);

export { createWorkflow } from "@perdure/core";
