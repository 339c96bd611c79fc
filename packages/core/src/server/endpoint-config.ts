import type { Client } from "@upstash/qstash";
import { type Engine, toEngine } from "../engine-client/engine.ts";
import { connect, connectWithClient, type EngineConfig } from "../engine-client/http.ts";
import type { PublishOptions } from "../engine-client/publish.ts";
import * as HEADER from "../protocol/header-names.ts";
import { DEV_CREDENTIALS, isPublicSecret } from "../protocol/token.ts";
import { mustBe } from "../util/check.ts";
import { type Duration, toSeconds } from "../util/duration.ts";
import { WorkflowError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { checkUrl } from "../util/url.ts";
import { type AccessPolicy, type Authorize, isAllowedHost } from "./authorize.ts";
import {
  type Receiver,
  type ReplayGuard,
  type SigningKeys,
  type Verify,
  verifyWithKeys,
  verifyWithReceiver,
} from "./signature.ts";

/** Environment variables, from `process.env` or from the platform's own object. */
export type Env = Readonly<Record<string, string | undefined>>;

const REGIONS = ["US_EAST_1", "EU_CENTRAL_1"];

const HOSTED_URL = "https://qstash.upstash.io";

/** Options for an endpoint's URL, its access checks and its engine. */
export interface EndpointOptions {
  /** The endpoint's public URL. Default: the one that a verified token says the engine has called, else the request's. */
  readonly url?: string;
  /**
   * Replaces only the scheme and host of the request's URL. A path that it has is put before the request's: for what a
   * proxy or the framework cuts off, as Next.js does with its `basePath`. Default: `UPSTASH_WORKFLOW_URL`.
   */
  readonly baseUrl?: string;
  /**
   * Takes scheme and host from `X-Forwarded-Proto` and `X-Forwarded-Host`. Only behind a proxy that sets them: otherwise any
   * caller can choose where a run's deliveries go. Default: false.
   */
  readonly trustProxy?: boolean;
  /**
   * Without `url` and `baseUrl`: the hosts under which the endpoint may be called, such as `app.example.com`, or with a port.
   * A request for another host is refused with 403. Default: any host.
   */
  readonly allowedHosts?: readonly string[];
  /** Environment variables. Default: the adapter's, else `process.env`. */
  readonly env?: Env;
  /**
   * Settings for the engine, a client of `@upstash/qstash`, or a function that creates one (`qstash` of
   * `@perdure/core/qstash`). Default: from `QSTASH_URL` and `QSTASH_TOKEN`.
   */
  readonly qstashClient?: GivenClient;
  /** Default: `QSTASH_CURRENT_SIGNING_KEY` and `QSTASH_NEXT_SIGNING_KEY`, when both are set. */
  readonly keys?: SigningKeys;
  /**
   * How far the engine's clock may be ahead of this machine's, in seconds or as a duration: a token of hosted QStash is valid
   * from the moment of its signature. Default: 30.
   */
  readonly clockTolerance?: number | Duration;
  /** Refuses deliveries that come a second time, with `keys`: `memoryReplayGuard()`, or one of your own. */
  readonly replayGuard?: ReplayGuard;
  /** Verifies signatures in place of `keys`; for example a `Receiver` of `@upstash/qstash`. */
  readonly receiver?: Receiver;
  /** The endpoint calls it for every request, failure callbacks included. With keys or a receiver, both must pass. */
  readonly authorize?: Authorize;
  /** `"off"` accepts every caller, also for the failure function. For development, or behind your own gateway. */
  readonly verify?: "off";
  /** Leaves out the headers that tell the engine which package and runtime it talks to. */
  readonly disableTelemetry?: boolean;
}

/** A client, engine settings, or a function that creates a client. The environment supplies missing settings. */
export type GivenClient = Client | Partial<EngineConfig> | ((config: EngineConfig) => Client);

export interface EndpointConfig {
  readonly env: Env;
  readonly access: AccessPolicy;
  /** @throws as {@link resolveEngine} */
  readonly engine: () => Engine;
  /** The endpoint's URL as the engine should call it. */
  readonly workflowUrl: (requested: URL) => string;
}

/**
 * Returns a function that resolves a request's configuration. Parts that don't depend on the request, such as the access
 * policy, are created once for each environment.
 *
 * Options that usually come from the environment are checked with the first request, because a build has no secrets. Until
 * they are valid, and say who may call, the environment is read again for each request.
 */
export function createConfigResolver(
  options: EndpointOptions,
): (env: Env | undefined, headers: Headers) => EndpointConfig {
  checkClient(options.qstashClient);
  const made = new WeakMap<Env, ConfigOfRegion>();
  return (platformEnv, headers) => {
    const env = options.env ?? platformEnv ?? processEnv();
    const configOf = made.get(env) ?? resolveConfig(options, env);
    const config = configOf(headers.get(HEADER.region));
    if (config.access.verify || config.access.open) made.set(env, configOf);
    return config;
  };
}

type ConfigOfRegion = (named: string | null) => EndpointConfig;

function resolveConfig(options: EndpointOptions, env: Env): ConfigOfRegion {
  const { allowedHosts, authorize, receiver, trustProxy } = options;
  const open = options.verify === "off";
  const url = options.url && checkUrl("url", options.url);
  const base = options.baseUrl || env.UPSTASH_WORKFLOW_URL;
  const prefix = base && checkUrl("baseUrl (UPSTASH_WORKFLOW_URL)", base).replace(/\/*(?:\?.*)?$/, "");
  const known = url || prefix;
  const workflowUrl = ({ href, pathname, search }: URL): string =>
    url || (prefix ? prefix + pathname + search : href);
  const access: AccessPolicy = {
    verify: open ? undefined : createVerifier(options, env),
    authorize,
    open,
    publicUrl: known || trustProxy ? workflowUrl : undefined,
    allowedHosts: known ? undefined : allowedHosts?.map((host) => host.toLowerCase()),
    hostIsGuessed: !(known || allowedHosts),
  };
  const trustsDestination: PublishOptions["trustsDestination"] = (to, of) => {
    // The token says under which URL the engine has called. A receiver doesn't return the token's claims.
    const called = access.verify && !receiver ? of : undefined;
    const { host } = new URL(to);
    if ([known, called].some((one) => one && new URL(one).host === host)) return true;
    return access.allowedHosts !== undefined && isAllowedHost(access.allowedHosts, to);
  };
  const engines: Record<string, Engine> = {};
  return (named) => {
    const region = resolveRegion(env, named);
    return {
      env,
      access: region === undefined ? { ...access, unknownRegion: String(named) } : access,
      engine: () => {
        const { qstashClient, disableTelemetry } = options;
        engines[region ?? ""] ??= resolveEngine(qstashClient, env, {
          disableTelemetry,
          region,
          knows: trustsDestination,
        });
        return engines[region ?? ""] as Engine;
      },
      workflowUrl,
    };
  };
}

/** @throws TypeError for an unknown setting */
export function checkClient(given: GivenClient | undefined): void {
  if (!isClient(given))
    checkOptions("the client", given as EngineConfig, "baseUrl token headers enableTelemetry devMode retry");
}

/**
 * Resolves the engine from a given client, or from settings; the environment supplies missing settings.
 *
 * @throws WorkflowError `missing_token` when there is no token anywhere
 * @throws TypeError that names the option and the variable of a token or URL that can't be one
 */
export function resolveEngine(
  given: GivenClient | undefined = {},
  env: Env,
  {
    disableTelemetry,
    region = resolveRegion(env, null) ?? "",
    knows: trustsDestination = () => true,
  }: EngineOptions = {},
): Engine {
  const telemetry = !disableTelemetry && !env.UPSTASH_DISABLE_TELEMETRY;
  const [name, urlName] = [regionalName("QSTASH_TOKEN", region), regionalName("QSTASH_URL", region)];
  if (isClient(given)) {
    const connection = connectWithClient(given);
    // An official client that has found no token has an empty one.
    if (connection.token === "") throw missingToken(name, urlName);
    if (!isDevMode(env)) checkSecret("token of the qstashClient", connection.token, env);
    return toEngine(connection, { telemetry, trustsDestination });
  }
  const settings = typeof given === "function" ? {} : given;
  const dev = settings.devMode ?? isDevMode(env);
  const [url, known] = dev
    ? [`http://127.0.0.1:${env.QSTASH_DEV_PORT || DEV_CREDENTIALS.port}`, DEV_CREDENTIALS.token]
    : [env[urlName] || HOSTED_URL, env[name]];
  const { enableTelemetry = true } = settings;
  const token = settings.token || known;
  if (!token) throw missingToken(name, urlName);
  const what = `token (${name})`;
  if (!dev || isProduction(env)) checkSecret(what, token, env);
  // The message doesn't show the token: it is a secret.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new TypeError(`${what} must be visible ASCII characters, without spaces.`);
  const baseUrl = checkUrl(`baseUrl (${urlName})`, settings.baseUrl || url);
  const config = { ...settings, token, baseUrl };
  const connection = typeof given === "function" ? connectWithClient(given(config)) : connect(config);
  return toEngine(connection, { telemetry: telemetry && enableTelemetry, trustsDestination });
}

interface EngineOptions {
  readonly disableTelemetry?: boolean | undefined;
  readonly region?: string | undefined;
  /** Default: trusts every destination. */
  readonly knows?: PublishOptions["trustsDestination"];
}

function missingToken(name: string, urlName: string): WorkflowError {
  return new WorkflowError(
    "missing_token",
    `There is no token for the engine. Set ${name} (and ${urlName}), or QSTASH_DEV=1 for a local one.`,
  );
}

/**
 * With `QSTASH_REGION`, tokens are kept by region: the one that the engine names, or else that one. Empty without.
 *
 * @returns undefined for a region that there isn't
 */
function resolveRegion(env: Env, named: string | null): string | undefined {
  const own = env.QSTASH_REGION;
  if (!own) return "";
  const [region, fallback] = [named || own, own].map((one) =>
    REGIONS.find((known) => known === one.toUpperCase().replaceAll("-", "_")),
  );
  if (!fallback) throw mustBe("QSTASH_REGION", `one of ${REGIONS.join(", ")}`, own);
  return region;
}

function regionalName(variable: string, region: string): string {
  return region ? `${region}_${variable}` : variable;
}

/** `process.env` where there is one: core itself knows no runtime. */
export function processEnv(): Env {
  return (globalThis as { process?: { env?: Env } }).process?.env ?? {};
}

function isClient(given: unknown): given is Client {
  return ["http", "batch", "publish"].some((name) => name in Object(given));
}

function createVerifier(options: EndpointOptions, env: Env): Verify | undefined {
  const { receiver, replayGuard, clockTolerance = 30 } = options;
  const tolerance = toSeconds(clockTolerance, "clockTolerance");
  const pairs = options.keys ? [options.keys] : signingKeysIn(env);
  if (!isDevMode(env))
    for (const key of pairs.flatMap(({ current, next }) => [current, next]))
      checkSecret("A signing key", key, env);
  // Only `keys` let the endpoint read a token's id; a receiver doesn't return it.
  if (replayGuard && (receiver || pairs.length === 0))
    throw new TypeError("replayGuard needs signing keys, and no receiver.");
  if (receiver) return verifyWithReceiver(receiver, tolerance);
  return pairs.length > 0 ? verifyWithKeys(pairs, tolerance, replayGuard) : undefined;
}

/** The variables of each pair of keys: without a region, and of each region. */
const KEY_VARIABLES = ["", ...REGIONS].map((region) =>
  ["QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"].map((name) => regionalName(name, region)),
);

/** All keys of the environment: a request that names a region doesn't choose whether it is checked. */
function signingKeysIn(env: Env): SigningKeys[] {
  const dev = isDevMode(env);
  const pairs = KEY_VARIABLES.flatMap((names) => {
    const [current, next] = names.map((name) => env[name]);
    if (current && next) return { current, next };
    if (!current && !next) return [];
    throw new TypeError(`Only one of ${names.join(" and ")} is set.`);
  });
  return dev ? [DEV_KEYS] : pairs;
}

const DEV_KEYS: SigningKeys = {
  current: DEV_CREDENTIALS.currentSigningKey,
  next: DEV_CREDENTIALS.nextSigningKey,
};

/**
 * Development mode trusts publicly known keys. The endpoint refuses it where it would weaken real keys, and in production.
 */
function isDevMode(env: Env): boolean {
  const asked = env.QSTASH_DEV?.toLowerCase() || "0";
  if (!/^(?:[01]|true|false)$/.test(asked))
    throw mustBe("QSTASH_DEV", '"1", "true", "0" or "false"', env.QSTASH_DEV);
  if (asked === "0" || asked === "false") return false;
  const realKeys = KEY_VARIABLES.flat().some((name) => env[name]) || env.QSTASH_REGION;
  const obstacle = isProduction(env) ? 'NODE_ENV is "production"' : realKeys && "signing keys are set";
  if (obstacle) warnOnce(`[perdure] QSTASH_DEV is ignored, because ${obstacle}.`);
  return !obstacle;
}

function isProduction({ NODE_ENV }: Env): boolean {
  return NODE_ENV?.toLowerCase() === "production";
}

/** @throws TypeError in production, for a publicly known secret; elsewhere it only warns */
function checkSecret(what: string, secret: unknown, env: Env): void {
  if (!isPublicSecret(secret)) return;
  const message = `${what} is public. Set your own in production, and QSTASH_DEV=1 in development.`;
  if (isProduction(env)) throw new TypeError(message);
  warnOnce(`[perdure] ${message}`);
}

const warned = new Set<string>();

/** Writes a warning to the console once per process. */
export function warnOnce(message: string): void {
  if (!warned.has(message)) console.warn(message);
  warned.add(message);
}
