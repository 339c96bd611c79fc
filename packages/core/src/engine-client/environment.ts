import { isPublicSecret } from "../protocol/token.ts";
import { mustBe } from "../util/check.ts";
import { warnOnce } from "../util/console.ts";

/** Environment variables, from `process.env` or from the platform's own object. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Returns `process.env`, or nothing on runtimes without it. */
export function processEnv(): Env {
  return (globalThis as { process?: { env?: Env } }).process?.env ?? {};
}

const REGIONS = ["US_EAST_1", "EU_CENTRAL_1"];

/** The names of each pair of signing keys: without a region, and for each region. */
export const KEY_VARIABLES: readonly (readonly string[])[] = ["", ...REGIONS].map((region) =>
  ["QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"].map((name) => regionalName(name, region)),
);

/**
 * Returns the region whose token and URL apply: the one that the request names, else `QSTASH_REGION`. Without
 * `QSTASH_REGION`, variables have no region, and the result is an empty string.
 *
 * @returns undefined when the request names an unknown region
 */
export function resolveRegion(env: Env, named: string | null): string | undefined {
  const configured = env.QSTASH_REGION;
  if (!configured) return "";
  const [region, fallback] = [named || configured, configured].map((one) =>
    REGIONS.find((known) => known === one.toUpperCase().replaceAll("-", "_")),
  );
  if (!fallback) throw mustBe("QSTASH_REGION", `one of ${REGIONS.join(", ")}`, configured);
  return region;
}

/** Prefixes a variable's name with the region, if there is one. */
export function regionalName(variable: string, region: string): string {
  return region ? `${region}_${variable}` : variable;
}

/**
 * Development mode trusts publicly known keys. It is off in production, and next to real keys, which it would weaken.
 */
export function isDevMode(env: Env): boolean {
  const value = env.QSTASH_DEV?.toLowerCase() || "0";
  if (!/^(?:[01]|true|false)$/.test(value))
    throw mustBe("QSTASH_DEV", '"1", "true", "0" or "false"', env.QSTASH_DEV);
  if (value === "0" || value === "false") return false;
  const realKeys = KEY_VARIABLES.flat().some((name) => env[name]) || env.QSTASH_REGION;
  const obstacle = isProduction(env) ? 'NODE_ENV is "production"' : realKeys && "signing keys are set";
  if (obstacle) warnOnce(`QSTASH_DEV is ignored, because ${obstacle}.`);
  return !obstacle;
}

export function isProduction({ NODE_ENV }: Env): boolean {
  return NODE_ENV?.toLowerCase() === "production";
}

/** @throws TypeError in production, for a publicly known secret; elsewhere it only warns */
export function checkSecret(what: string, secret: unknown, env: Env): void {
  if (!isPublicSecret(secret)) return;
  const message = `${what} is public. Set your own in production, and QSTASH_DEV=1 in development.`;
  if (isProduction(env)) throw new TypeError(message);
  warnOnce(message);
}
