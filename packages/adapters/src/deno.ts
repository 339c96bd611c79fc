import type { Env, Handler } from "@perdure/core";
import { type Serve, type ServeMany, serveAs, serveManyAs } from "./internal/serve.ts";

type DenoHandler = (request: Request) => Promise<Response>;

/** The adapter calls this method of Deno. */
interface Runtime {
  readonly env: { get(name: string): string | undefined };
  readonly permissions: { querySync(of: { name: "env"; variable: string }): { readonly state: string } };
}

/** Each variable is read when it is asked for. One that isn't permitted counts as unset: nobody is prompted. */
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

/** A workflow's handler as a handler of Deno: `Deno.serve(toDeno(handler))`. */
export function toDeno(handler: Handler): DenoHandler {
  return (request) => handler(request, env);
}

/** `serve` of `@perdure/core`, as a handler of Deno: `Deno.serve(serve(workflow))`. */
export const serve: Serve<DenoHandler> = serveAs(toDeno);

/** `serveMany` of `@perdure/core`, as a handler of Deno: `Deno.serve(serveMany({ order, invoice }))`. */
export const serveMany: ServeMany<DenoHandler> = serveManyAs(toDeno);

export { createWorkflow } from "@perdure/core";
