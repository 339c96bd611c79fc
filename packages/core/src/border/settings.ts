import type { Client } from "@upstash/qstash";
import { WorkflowError } from "../kernel/errors.ts";
import { DEV_CREDENTIALS } from "../protocol/token.ts";
import type { Authorize, Door } from "./authorize.ts";
import { createClient, type Engine, type EngineConfig, toEngine } from "./engine.ts";
import {
  type Receiver,
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
} as const;

const HOSTED_URL = "https://qstash.upstash.io";

/** Where an endpoint lives, who may call it, and which engine it talks to. */
export interface BorderOptions {
  /** The endpoint's public URL, when the request's isn't it. */
  readonly url?: string;
  /** Replaces only the scheme and host of the request's URL. Default: `UPSTASH_WORKFLOW_URL`. */
  readonly baseUrl?: string;
  /** Default: what the adapter brings, else `process.env`. */
  readonly env?: Env;
  /** A client of `@upstash/qstash`, or the settings for one. Default: from `QSTASH_URL` and `QSTASH_TOKEN`. */
  readonly qstashClient?: Client | Partial<EngineConfig>;
  /** Default: `QSTASH_CURRENT_SIGNING_KEY` and `QSTASH_NEXT_SIGNING_KEY`, when both are set. */
  readonly keys?: SigningKeys;
  /** Verifies signatures in place of `keys`; for example a `Receiver` of `@upstash/qstash`. */
  readonly receiver?: Receiver;
  /** Asked for every request, failure callbacks included. With keys or a receiver, both must pass. */
  readonly authorize?: Authorize;
  /** `"off"` lets anybody in, also to the failure function. For development, or behind a gate of your own. */
  readonly verify?: "off";
}

export interface Border {
  readonly env: Env;
  readonly door: Door;
  /** @throws WorkflowError `missing_token` when nothing says how to reach the engine */
  readonly engine: () => Engine;
  /** The endpoint's URL as the engine should call it. */
  readonly workflowUrl: (requested: URL) => string;
}

/** @throws TypeError for options that can't be obeyed */
export function settle(options: BorderOptions, platformEnv?: Env): Border {
  const env = options.env ?? platformEnv ?? processEnv();
  const url = httpUrl("url", options.url);
  const baseUrl = httpUrl("baseUrl", options.baseUrl ?? env[VARIABLE.workflowUrl]);
  let engine: Engine | undefined;
  const workflowUrl = (requested: URL): string =>
    url ?? (baseUrl ? `${new URL(baseUrl).origin}${requested.pathname}${requested.search}` : requested.href);
  return {
    env,
    door: {
      verify: options.verify === "off" ? undefined : verifierOf(options, env),
      authorize: options.authorize,
      open: options.verify === "off",
      publicUrl: url || baseUrl ? workflowUrl : undefined,
    },
    engine: () => {
      engine ??= toEngine(clientOf(options.qstashClient, env));
      return engine;
    },
    workflowUrl,
  };
}

/** @throws TypeError for a URL that isn't one */
export function checkUrls(options: BorderOptions): void {
  httpUrl("url", options.url);
  httpUrl("baseUrl", options.baseUrl);
}

/** The client to use: the given one, or one made from the given settings and the environment. */
export function clientOf(given: Client | Partial<EngineConfig> | undefined, env: Env): Client {
  if (isClient(given)) return given;
  const dev = devMode(env) ? { baseUrl: devUrl(env), token: DEV_CREDENTIALS.token } : undefined;
  const token = given?.token ?? dev?.token ?? env[VARIABLE.token];
  if (!token) {
    throw new WorkflowError(
      "missing_token",
      `There is no token for the engine: set ${VARIABLE.token} (and ${VARIABLE.url} for an engine of your own), or ${VARIABLE.dev}=1 for a local one.`,
    );
  }
  return createClient({
    ...given,
    token,
    baseUrl: given?.baseUrl ?? dev?.baseUrl ?? env[VARIABLE.url] ?? HOSTED_URL,
  });
}

/** `process.env` where there is one: core itself knows no runtime. */
export function processEnv(): Env {
  return (globalThis as { process?: { env?: Env } }).process?.env ?? {};
}

function isClient(given: unknown): given is Client {
  return typeof given === "object" && given !== null && "http" in given;
}

function verifierOf(options: BorderOptions, env: Env): Verify | undefined {
  if (options.receiver) return verifyWithReceiver(options.receiver);
  const dev = devMode(env) ? devKeys() : undefined;
  const keys = options.keys ?? keysOf(env) ?? dev;
  return keys && verifyWithKeys(keys);
}

function keysOf(env: Env): SigningKeys | undefined {
  const current = env[VARIABLE.currentKey];
  const next = env[VARIABLE.nextKey];
  if (!current && !next) return undefined;
  if (current && next) return { current, next };
  throw new TypeError(
    `Only one of ${VARIABLE.currentKey} and ${VARIABLE.nextKey} is set: signatures need both.`,
  );
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
      : env[VARIABLE.currentKey] || env[VARIABLE.nextKey]
        ? "real signing keys are set"
        : undefined;
  if (obstacle) warnOnce(`[perdure] ${VARIABLE.dev} is ignored, because ${obstacle}.`);
  return !obstacle;
}

const warned = new Set<string>();

function warnOnce(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  console.warn(message);
}

function httpUrl(option: string, value: string | undefined): string | undefined {
  if (!value) return undefined;
  if (/^https?:\/\//i.test(value) && URL.canParse(value)) return value;
  throw new TypeError(`${option} must be a URL that begins with http:// or https://; got "${value}".`);
}
