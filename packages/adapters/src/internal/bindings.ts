import type { Env } from "@perdure/core";

/**
 * The environment that a platform hands over as `env`, as Workers do. Other servers put objects of their own there:
 * it counts as an environment when it has one of the variables that core looks for.
 */
export function bindingsOf(holder: unknown): Env | undefined {
  if (typeof holder !== "object" || holder === null || !("env" in holder)) return undefined;
  return isEnvironment(holder.env) ? holder.env : undefined;
}

function isEnvironment(env: unknown): env is Env {
  if (typeof env !== "object" || env === null) return false;
  return Object.keys(env).some((name) => /QSTASH_|UPSTASH_/.test(name));
}
