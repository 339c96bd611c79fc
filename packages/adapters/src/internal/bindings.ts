import type { Env } from "@perdure/core";

/**
 * The environment that a platform hands over as `env`, as Workers do. Other servers put objects of their own there:
 * it counts as an environment when it has one of the variables that core looks for.
 */
export function bindingsOf(source: unknown): Env | undefined {
  if (typeof source !== "object" || source === null || !("env" in source)) return undefined;
  return isEnvironment(source.env) ? source.env : undefined;
}

function isEnvironment(env: unknown): env is Env {
  if (typeof env !== "object" || env === null) return false;
  return Object.keys(env).some((name) => /QSTASH_|UPSTASH_/.test(name));
}
