import type { Client } from "@upstash/qstash";
import { WorkflowError } from "../kernel/errors.ts";
import { HEADER } from "../protocol/headers.ts";
import { DEV_CREDENTIALS } from "../protocol/token.ts";
import type { Authorize, Door } from "./authorize.ts";
import { type Engine, toEngine } from "./engine.ts";
import { connect, connectBy, type EngineConfig } from "./http.ts";
import {
  type Receiver,
  type ReplayGuard,
  type SigningKeys,
  type Verify,
  verifyWithKeys,
  verifyWithReceiver,
} from "./signature.ts";

/** The environment's variables, wherever the runtime keeps them. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Names of the variables that are read, in `env` or in `process.env`. */
const VARIABLE = {
  url: "QSTASH_URL",
  token: "QSTASH_TOKEN",
  currentKey: "QSTASH_CURRENT_SIGNING_KEY",
  nextKey: "QSTASH_NEXT_SIGNING_KEY",
  workflowUrl: "UPSTASH_WORKFLOW_URL",
  dev: "QSTASH_DEV",
  devPort: "QSTASH_DEV_PORT",
  mode: "NODE_ENV",
  region: "QSTASH_REGION",
  noTelemetry: "UPSTASH_DISABLE_TELEMETRY",
} as const;

const REGIONS = ["US_EAST_1", "EU_CENTRAL_1"];

const HOSTED_URL = "https://qstash.upstash.io";

/** Where an endpoint lives, who may call it, and which engine it talks to. */
export interface BorderOptions {
  /** The endpoint's public URL, when the request's isn't it. */
  readonly url?: string;
  /**
   * Replaces only the scheme and host of the request's URL. A path that it has is put before the request's: for what a
   * proxy or the framework cuts off, as Next.js does with its `basePath`. Default: `UPSTASH_WORKFLOW_URL`.
   */
  readonly baseUrl?: string;
  /**
   * Takes scheme and host from `X-Forwarded-Proto` and `X-Forwarded-Host`. Only behind a proxy that sets them: whoever
   * can send them otherwise says where a run's deliveries go. Default: false.
   */
  readonly trustProxy?: boolean;
  /** Default: what the adapter brings, else `process.env`. */
  readonly env?: Env;
  /**
   * Settings for the engine, a client of `@upstash/qstash`, or what makes one (`qstash` of `@perdure/core/qstash`).
   * Default: from `QSTASH_URL` and `QSTASH_TOKEN`.
   */
  readonly qstashClient?: GivenClient;
  /** Default: `QSTASH_CURRENT_SIGNING_KEY` and `QSTASH_NEXT_SIGNING_KEY`, when both are set. */
  readonly keys?: SigningKeys;
  /** Refuses deliveries that come a second time, with `keys`: `memoryReplayGuard()`, or one of your own. */
  readonly replayGuard?: ReplayGuard;
  /** Verifies signatures in place of `keys`; for example a `Receiver` of `@upstash/qstash`. */
  readonly receiver?: Receiver;
  /** Asked for every request, failure callbacks included. With keys or a receiver, both must pass. */
  readonly authorize?: Authorize;
  /** `"off"` lets anybody in, also to the failure function. For development, or behind a gate of your own. */
  readonly verify?: "off";
  /** Leaves out the headers that tell the engine which package and runtime it talks to. */
  readonly disableTelemetry?: boolean;
}

/** How to reach the engine, in one of three ways. What settings leave out comes from the environment. */
export type GivenClient = Client | Partial<EngineConfig> | ((config: EngineConfig) => Client);

export interface Border {
  readonly env: Env;
  readonly door: Door;
  /** @throws WorkflowError `missing_token` when nothing says how to reach the engine */
  readonly engine: () => Engine;
  /** The endpoint's URL as the engine should call it. */
  readonly workflowUrl: (requested: URL) => string;
}

/**
 * The border of each request: made once for each environment and region.
 *
 * @throws TypeError for options that can't be obeyed
 */
export function createBorders(options: BorderOptions): (env: Env | undefined, headers: Headers) => Border {
  httpUrl("url", options.url);
  httpUrl("baseUrl", options.baseUrl);
  const made = new WeakMap<Env, Map<string | undefined, Border>>();
  return (platformEnv, headers) => {
    const env = options.env ?? platformEnv ?? processEnv();
    const region = regionOf(env, headers.get(HEADER.region));
    const borders = made.get(env) ?? new Map<string | undefined, Border>();
    made.set(env, borders);
    const border = borders.get(region) ?? settle(options, env, region);
    borders.set(region, border);
    return border;
  };
}

function settle(options: BorderOptions, env: Env, region: string | undefined): Border {
  const url = httpUrl("url", options.url);
  const baseUrl = httpUrl("baseUrl", options.baseUrl ?? env[VARIABLE.workflowUrl]);
  const base = baseUrl && new URL(baseUrl);
  const prefix = base && `${base.origin}${base.pathname.replace(/\/+$/, "")}`;
  let engine: Engine | undefined;
  const workflowUrl = (requested: URL): string =>
    url ?? (prefix ? `${prefix}${requested.pathname}${requested.search}` : requested.href);
  return {
    env,
    door: {
      verify: options.verify === "off" ? undefined : verifierOf(options, env, region),
      authorize: options.authorize,
      open: options.verify === "off",
      publicUrl: url || baseUrl || options.trustProxy ? workflowUrl : undefined,
    },
    engine: () => {
      engine ??= engineOf(options.qstashClient, env, options.disableTelemetry, region);
      return engine;
    },
    workflowUrl,
  };
}

/**
 * The engine to talk to: by the given client, or by settings, of which the environment has what isn't given.
 *
 * @throws WorkflowError `missing_token` when there is no token anywhere
 */
export function engineOf(
  given: GivenClient | undefined,
  env: Env,
  disableTelemetry = false,
  region: string | undefined = regionOf(env, null),
): Engine {
  const silent = disableTelemetry || Boolean(env[VARIABLE.noTelemetry]);
  if (isClient(given)) return toEngine(connectBy(given), !silent);
  const make = typeof given === "function" ? given : undefined;
  const settings = typeof given === "function" ? undefined : given;
  const dev = devMode(env) ? { baseUrl: devUrl(env), token: DEV_CREDENTIALS.token } : undefined;
  const token = settings?.token ?? dev?.token ?? env[inRegion(VARIABLE.token, region)];
  if (!token) {
    throw new WorkflowError(
      "missing_token",
      `There is no token for the engine: set ${inRegion(VARIABLE.token, region)} (and ${VARIABLE.url} for an engine of your own), or ${VARIABLE.dev}=1 for a local one.`,
    );
  }
  const baseUrl = settings?.baseUrl ?? dev?.baseUrl ?? env[inRegion(VARIABLE.url, region)] ?? HOSTED_URL;
  const config = { ...settings, token, baseUrl };
  const connection = make ? connectBy(make(config)) : connect(config);
  return toEngine(connection, !silent && settings?.enableTelemetry !== false);
}

/** With `QSTASH_REGION`, keys and tokens are kept by region: the one that the engine names, or that one. */
function regionOf(env: Env, named: string | null): string | undefined {
  const own = env[VARIABLE.region];
  if (!own) return undefined;
  const [region, fallback] = [named ?? "", own].map((one) => one.toUpperCase().replaceAll("-", "_"));
  if (!REGIONS.includes(fallback as string)) {
    throw new TypeError(`${VARIABLE.region} must be one of ${REGIONS.join(", ")}; got "${own}".`);
  }
  return REGIONS.includes(region as string) ? region : fallback;
}

function inRegion(variable: string, region: string | undefined): string {
  return region ? `${region}_${variable}` : variable;
}

/** `process.env` where there is one: core itself knows no runtime. */
export function processEnv(): Env {
  return (globalThis as { process?: { env?: Env } }).process?.env ?? {};
}

function isClient(given: unknown): given is Client {
  return typeof given === "object" && given !== null && "http" in given;
}

function verifierOf(options: BorderOptions, env: Env, region: string | undefined): Verify | undefined {
  if (options.receiver) return verifyWithReceiver(options.receiver);
  const dev = devMode(env) ? devKeys() : undefined;
  const keys = options.keys ?? keysOf(env, region) ?? dev;
  return keys && verifyWithKeys(keys, options.replayGuard);
}

function keysOf(env: Env, region: string | undefined): SigningKeys | undefined {
  const names = [inRegion(VARIABLE.currentKey, region), inRegion(VARIABLE.nextKey, region)] as const;
  const [current, next] = [env[names[0]], env[names[1]]];
  if (!current && !next) return undefined;
  if (current && next) return { current, next };
  throw new TypeError(`Only one of ${names.join(" and ")} is set: signatures need both.`);
}

function devKeys(): SigningKeys {
  return { current: DEV_CREDENTIALS.currentSigningKey, next: DEV_CREDENTIALS.nextSigningKey };
}

function devUrl(env: Env): string {
  return `http://127.0.0.1:${env[VARIABLE.devPort] || DEV_CREDENTIALS.port}`;
}

/**
 * Development mode trusts keys that everybody knows. So it is refused where it would weaken real ones, and in production.
 */
function devMode(env: Env): boolean {
  const asked = env[VARIABLE.dev]?.toLowerCase();
  if (!asked || asked === "false" || asked === "0") return false;
  if (asked !== "true" && asked !== "1") {
    throw new TypeError(`${VARIABLE.dev} must be "1", "true", "0" or "false"; got "${env[VARIABLE.dev]}".`);
  }
  const obstacle =
    env[VARIABLE.mode] === "production"
      ? `${VARIABLE.mode} is "production"`
      : env[VARIABLE.currentKey] || env[VARIABLE.nextKey] || env[VARIABLE.region]
        ? "real signing keys are set"
        : undefined;
  if (obstacle) warnOnce(`[perdure] ${VARIABLE.dev} is ignored, because ${obstacle}.`);
  return !obstacle;
}

const warned = new Set<string>();

/** Says on the console what needn't be said twice. */
export function warnOnce(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  console.warn(message);
}

function httpUrl(option: string, value: string | undefined): string | undefined {
  if (!value) return undefined;
  if (/^https?:\/\//i.test(value) && URL.canParse(value)) return value;
  throw new TypeError(`${option} must be a URL that begins with http:// or https://; got "${value}".`);
}
