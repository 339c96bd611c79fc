import { isPublicSecret } from "../protocol/token.ts";
import { mustBe } from "../util/check.ts";
import { warnOnce } from "../util/console.ts";

/** Environment variables, from `process.env` or from the platform's own object. */
export type Env = Readonly<Record<string, string | undefined>>;

/** `process.env` where there is one: core itself knows no runtime. */
export function processEnv(): Env {
  return (globalThis as { process?: { env?: Env } }).process?.env ?? {};
}

const REGIONS = ["US_EAST_1", "EU_CENTRAL_1"];

/** The variables of each pair of keys: without a region, and of each region. */
export const KEY_VARIABLES: readonly (readonly string[])[] = ["", ...REGIONS].map((region) =>
  ["QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"].map((name) => regionalName(name, region)),
);

/**
 * With `QSTASH_REGION`, tokens are kept by region: the one that the engine names, or else that one. Empty without.
 *
 * @returns undefined for a region that there isn't
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

/** A variable's name for a region: with the region as its prefix, or as it is without one. */
export function regionalName(variable: string, region: string): string {
  return region ? `${region}_${variable}` : variable;
}

/**
 * Development mode trusts publicly known keys. The endpoint refuses it where it would weaken real keys, and in production.
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
