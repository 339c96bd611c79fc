import type { Engine } from "../engine-client/engine.ts";
import {
  checkCharacters,
  checkSecret,
  isDevMode,
  processEnv,
  resolveRegion,
  signingKeyVariables,
} from "../engine-client/environment.ts";
import type { PublishOptions } from "../engine-client/publish.ts";
import { checkClient, type GivenClient, resolveEngine } from "../engine-client/resolve-engine.ts";
import * as HEADER from "../protocol/header-names.ts";
import { DEV_CREDENTIALS } from "../protocol/token.ts";
import { type Env, readVariable } from "../protocol/variables.ts";
import { type Duration, toSeconds } from "../util/duration.ts";
import { testHost } from "../util/test-host.ts";
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

/** Options for an endpoint's URL, its access checks and its engine. */
export interface EndpointOptions {
  /** The endpoint's public URL. Default: the one that a verified token says the engine has called, else the request's. */
  readonly url?: string;
  /**
   * Replaces the scheme and host of the request's URL. A path in it is put in front of the request's path, which a proxy or a
   * framework may have shortened, such as Next.js with `basePath`. Default: `PERDURE_WORKFLOW_URL`.
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
   * `@perdure/core/qstash`). Default: from `PERDURE_URL` and `PERDURE_TOKEN`.
   */
  readonly qstashClient?: GivenClient;
  /** Default: `PERDURE_CURRENT_SIGNING_KEY` and `PERDURE_NEXT_SIGNING_KEY`, when both are set. */
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

/** The part of a test that replaces the options of endpoints. */
export interface EndpointHost {
  options(given: EndpointOptions): EndpointOptions;
}

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
  const configs = new WeakMap<object, ConfigOfRegion>();
  return (platformEnv, headers) => {
    const env = options.env ?? platformEnv ?? processEnv();
    const host = testHost<EndpointHost>();
    const key = host ?? env;
    const configOf = configs.get(key) ?? resolveConfig(host?.options(options) ?? options, env);
    const config = configOf(headers.get(HEADER.region));
    if (config.access.verify || config.access.open) configs.set(key, configOf);
    return config;
  };
}

type ConfigOfRegion = (named: string | null) => EndpointConfig;

function resolveConfig(options: EndpointOptions, env: Env): ConfigOfRegion {
  const { allowedHosts, authorize, receiver, trustProxy } = options;
  const open = options.verify === "off";
  const url = options.url && checkUrl("url", options.url);
  const { name, value } = readVariable(env, "PERDURE_WORKFLOW_URL");
  const base = options.baseUrl || value;
  const prefix = base && checkUrl(`baseUrl (${name})`, base).replace(/\/*(?:\?.*)?$/, "");
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
    // The token names the URL that the engine has called. A receiver doesn't return the token's claims.
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
          trustsDestination,
        });
        return engines[region ?? ""] as Engine;
      },
      workflowUrl,
    };
  };
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
    throw new TypeError("replayGuard needs signing keys and no receiver.");
  if (receiver) return verifyWithReceiver(receiver, tolerance);
  return pairs.length > 0 ? verifyWithKeys(pairs, tolerance, replayGuard) : undefined;
}

/** All keys of the environment: a request that names a region doesn't choose whether it is checked. */
function signingKeysIn(env: Env): SigningKeys[] {
  const dev = isDevMode(env);
  const pairs = signingKeyVariables(env).flatMap((pair) => {
    const [current, next] = pair.map(({ name, value }) => {
      if (value) checkCharacters(name, value);
      return value;
    });
    if (current && next) return { current, next };
    if (!current && !next) return [];
    throw new TypeError(`Only one of ${pair.map(({ name }) => name).join(" and ")} is set.`);
  });
  return dev ? [DEV_KEYS] : pairs;
}

const DEV_KEYS: SigningKeys = {
  current: DEV_CREDENTIALS.currentSigningKey,
  next: DEV_CREDENTIALS.nextSigningKey,
};
