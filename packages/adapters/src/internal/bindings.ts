import type { Env } from "@perdure/core";

/**
 * Returns the environment that a platform such as Workers passes as `env`. Other servers pass other objects there, so an
 * object counts only if it has one of core's variables.
 */
export function bindingsOf(source: unknown): Env | undefined {
  if (typeof source !== "object" || source === null || !("env" in source)) return undefined;
  return isEnvironment(source.env) ? source.env : undefined;
}

function isEnvironment(env: unknown): env is Env {
  if (typeof env !== "object" || env === null) return false;
  return Object.keys(env).some((name) => /QSTASH_|UPSTASH_/.test(name));
}
