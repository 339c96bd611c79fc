import { DEV_CREDENTIALS, isPublicSecret } from "../protocol/token.ts";
import {
  type Env,
  readVariable,
  readVariables,
  SIGNING_KEY_VARIABLES,
  type Variable,
} from "../protocol/variables.ts";
import { mustBe } from "../util/check.ts";
import { warnOnce } from "../util/console.ts";

/** Returns `process.env`, or nothing on runtimes without it. */
export function processEnv(): Env {
  return (globalThis as { process?: { env?: Env } }).process?.env ?? {};
}

const REGIONS = ["US_EAST_1", "EU_CENTRAL_1"];

/** The variables of each pair of signing keys: without a region, and for each region. */
export function signingKeyVariables(env: Env): Variable[][] {
  return ["", ...REGIONS].map((region) => readVariables(env, SIGNING_KEY_VARIABLES, region));
}

/**
 * Returns the region whose token and URL apply: the one that the request names, else `PERDURE_REGION`. Without
 * `PERDURE_REGION`, variables have no region, and the result is an empty string.
 *
 * @returns undefined when the request names an unknown region
 */
export function resolveRegion(env: Env, named: string | null): string | undefined {
  const { name, value: configured } = readVariable(env, "PERDURE_REGION");
  if (!configured) return "";
  const [region, fallback] = [named || configured, configured].map((one) =>
    REGIONS.find((known) => known === one.toUpperCase().replaceAll("-", "_")),
  );
  if (!fallback) throw mustBe(name, `one of ${REGIONS.join(", ")}`, configured);
  return region;
}

/** With the keys that development mode trusts anyway. */
const DEV_VALUES: readonly unknown[] = Object.values(DEV_CREDENTIALS);

/**
 * Development mode trusts publicly known keys. It is off in production, and next to real keys, which it would weaken.
 */
export function isDevMode(env: Env): boolean {
  const { name, value: given } = readVariable(env, "PERDURE_DEV");
  const value = given?.toLowerCase() ?? "0";
  if (!/^(?:[01]|true|false)$/.test(value)) throw mustBe(name, '"1", "true", "0" or "false"', given);
  if (value === "0" || value === "false") return false;
  const realKeys = signingKeyVariables(env)
    .flat()
    .some(({ value }) => value && !DEV_VALUES.includes(value));
  const region = readVariable(env, "PERDURE_REGION").value;
  const obstacle = isProduction(env)
    ? 'NODE_ENV is "production"'
    : (realKeys || region) && "signing keys are set";
  if (obstacle) warnOnce(`${name} is ignored, because ${obstacle}.`);
  return !obstacle;
}

export function isProduction({ NODE_ENV }: Env): boolean {
  // `set NODE_ENV=production && node app.js` of Windows sets a space, too.
  return NODE_ENV?.trim().toLowerCase() === "production";
}

/**
 * @throws TypeError for a token or key that is missing, or has other characters: a line feed at its end, or the quotes of
 * an `.env` file, which `docker run --env-file` leaves in place
 */
export function checkCharacters(what: string, secret: unknown): void {
  // The message doesn't show the secret.
  if (typeof secret !== "string" || !/^(?!["'])[\x21-\x7e]+$/.test(secret))
    throw new TypeError(`${what} must be visible ASCII characters, without spaces and quotes.`);
}

/** @throws TypeError in production, for a publicly known secret; elsewhere it only warns */
export function checkSecret(what: string, secret: unknown, env: Env): void {
  if (!isPublicSecret(secret)) return;
  const message = `${what} is public. Set your own in production, and PERDURE_DEV=1 in development.`;
  if (isProduction(env)) throw new TypeError(message);
  warnOnce(message);
}
