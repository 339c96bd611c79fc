import { isPublicSecret, parseDuration } from "@perdure/core/protocol";
import { ConfigError, type LogLevel, listOf, toBrowserRules, toLevel, toPort } from "../config.ts";
import { createPolicy, type DestinationRules } from "../delivery/policy.ts";
import type { BrowserRules } from "../http/browser-guard.ts";
import { messageOf } from "../rules/problem.ts";
import type { ServerOptions, Tenant } from "../server.ts";
import type { FileTenant, StartFile } from "./start-file.ts";
import { beside, userOf } from "./users.ts";

/** What the command line says; each of them may be left out. */
export interface StartFlags {
  readonly config?: string;
  readonly host?: string;
  readonly port?: string;
  readonly db?: string;
  readonly logLevel?: string;
  readonly token?: string;
  readonly currentSigningKey?: string;
  readonly nextSigningKey?: string;
  readonly metricsToken?: string;
  readonly drain?: string;
  readonly allowDestination?: readonly string[];
  readonly denyDestination?: readonly string[];
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
}

/** Whose database is in which file. */
export type StartTenant = Tenant & { readonly store: string };

/** How `perdure start` runs. */
export interface StartConfig {
  readonly host: string;
  readonly port: number;
  readonly logLevel: LogLevel;
  readonly tenants: readonly StartTenant[];
  /** Without one there are no metrics. */
  readonly metricsToken: string | undefined;
  /** Milliseconds for what is under way when a stop is asked for. */
  readonly drain: number;
  readonly browsers: BrowserRules;
  readonly engine: Pick<
    ServerOptions,
    "calls" | "concurrency" | "destinations" | "limits" | "region" | "retention" | "timeouts" | "trustProxy"
  >;
}

type Env = Readonly<Record<string, string | undefined>>;

const HOW = "Make them with: perdure keys new, or one with: openssl rand -base64 32";

/**
 * 16 random characters of Base64 hold 96 bits. An endpoint that gets a signed delivery can try keys offline, as fast as its
 * machines allow: shorter ones don't withstand that.
 */
const MIN_SECRET_LENGTH = 16;

/**
 * Flags win over the environment, that over the file, and that over the defaults.
 *
 * @throws ConfigError
 */
export function readStartConfig(flags: StartFlags, env: Env, file: StartFile): StartConfig {
  // Set to nothing counts as not set.
  const first = (flag: string | undefined, name: string): string | undefined =>
    flag || env[name] || undefined;
  const port = first(flags.port, "PERDURE_PORT");
  const logLevel = first(flags.logLevel, "PERDURE_LOG_LEVEL");
  const tenants = readTenants(flags, env, file, first);
  const metricsToken = first(flags.metricsToken, "PERDURE_METRICS_TOKEN") ?? file.metricsToken;
  checkSecrets(tenants, metricsToken);
  const host = first(flags.host, "PERDURE_HOST") ?? file.host ?? "127.0.0.1";
  return {
    host,
    port: port === undefined ? (file.port ?? 8080) : toPort(port),
    logLevel: logLevel === undefined ? (file.logLevel ?? "info") : toLevel(logLevel),
    tenants,
    metricsToken,
    drain: toMs(first(flags.drain, "PERDURE_DRAIN") ?? file.drain ?? "25s", "drain"),
    browsers: readBrowsers(host, flags, env, file),
    engine: toEngine(file, readDestinations(flags, env, file)),
  };
}

function readTenants(
  flags: StartFlags,
  env: Env,
  file: StartFile,
  first: (flag: string | undefined, name: string) => string | undefined,
): StartTenant[] {
  const token = first(flags.token, "QSTASH_TOKEN");
  const current = first(flags.currentSigningKey, "QSTASH_CURRENT_SIGNING_KEY");
  const next = first(flags.nextSigningKey, "QSTASH_NEXT_SIGNING_KEY");
  if ((current === undefined) !== (next === undefined)) {
    throw new ConfigError("The current and the next signing key go together: give both of them, or none.");
  }
  const tokens = token === undefined ? file.tokens : [token];
  const signingKeys = current !== undefined && next !== undefined ? { current, next } : file.signingKeys;
  const db = first(flags.db, "PERDURE_DB") ?? file.db ?? ".perdure/perdure.db";
  const others = (file.tenants ?? []).map((tenant) =>
    toTenant(tenant, tenant.user, tenant.db ?? beside(db, tenant.user)),
  );
  if (tokens === undefined && signingKeys === undefined && others.length > 0) return others;
  if (tokens === undefined) throw new ConfigError(`QSTASH_TOKEN is missing: what clients must show.\n${HOW}`);
  if (!signingKeys) {
    throw new ConfigError(
      `QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY are missing: with them deliveries are signed.\n${HOW}`,
    );
  }
  const readOnlyTokens = listOf(env.PERDURE_READ_ONLY_TOKENS) ?? file.readOnlyTokens;
  return [toTenant({ tokens, readOnlyTokens, signingKeys }, userOf(tokens[0] as string), db), ...others];
}

function toTenant(own: Omit<FileTenant, "user" | "db">, user: string, store: string): StartTenant {
  const { tokens, readOnlyTokens = [], signingKeys } = own;
  return { user, token: tokens, readOnlyTokens, signingKeys, store };
}

/** @throws ConfigError for a secret that is public or can be guessed, and for a metrics token with another use */
function checkSecrets(tenants: readonly StartTenant[], metricsToken: string | undefined): void {
  for (const { user, token, readOnlyTokens = [], signingKeys } of tenants) {
    const secrets: [name: string, secret: string][] = [
      ...[token].flat().map((one): [string, string] => ["A token", one]),
      ...readOnlyTokens.map((one): [string, string] => ["A read-only token", one]),
      ["The current signing key", signingKeys.current],
      ["The next signing key", signingKeys.next],
    ];
    for (const [name, secret] of secrets) {
      checkSecret(`${name} of the user "${user}"`, secret);
      if (metricsToken === secret) {
        throw new ConfigError(
          "The metrics have a token of their own: it must not be one that the API or signatures use.",
        );
      }
    }
  }
  if (metricsToken !== undefined) checkSecret("The metrics token", metricsToken);
}

/** The error doesn't show the secret. */
function checkSecret(name: string, secret: string): void {
  if (isPublicSecret(secret)) {
    throw new ConfigError(
      `${name} is one of the public ones of development, which protect nothing: everybody knows them.\n${HOW}`,
    );
  }
  if (secret.length < MIN_SECRET_LENGTH) {
    throw new ConfigError(
      `${name} has ${secret.length} characters. It must have at least ${MIN_SECRET_LENGTH} random ones: shorter secrets can be guessed.\n${HOW}`,
    );
  }
}

function readDestinations(flags: StartFlags, env: Env, file: StartFile): DestinationRules {
  const rules = {
    allow: flags.allowDestination ?? listOf(env.PERDURE_ALLOW_DESTINATIONS) ?? file.destinations?.allow ?? [],
    deny: flags.denyDestination ?? listOf(env.PERDURE_DENY_DESTINATIONS) ?? file.destinations?.deny ?? [],
  };
  try {
    createPolicy(rules);
    return rules;
  } catch (cause) {
    throw new ConfigError(`The destinations can't be used: ${messageOf(cause)}`, { cause });
  }
}

/** Neither is checked unless it is asked for: tokens that are secret keep pages out. */
function readBrowsers(host: string, flags: StartFlags, env: Env, file: StartFile): BrowserRules {
  const hosts = flags.allowHost ?? listOf(env.PERDURE_ALLOW_HOSTS) ?? file.allowHosts;
  const origins = flags.allowOrigin ?? listOf(env.PERDURE_ALLOW_ORIGINS) ?? file.allowOrigins;
  return {
    ...toBrowserRules(host, hosts ?? [], origins ?? []),
    ...(hosts ? {} : { hosts }),
    ...(origins ? {} : { origins }),
  };
}

function toEngine(file: StartFile, destinations: DestinationRules): StartConfig["engine"] {
  const { concurrency, calls, trustProxy, region, limits = {}, timeouts = {}, retention = {} } = file;
  return {
    destinations,
    timeouts: toTimes(timeouts, "timeouts"),
    limits: toTimes(limits, "limits"),
    retention: toTimes(retention, "retention"),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(calls === undefined ? {} : { calls }),
    ...(trustProxy === undefined ? {} : { trustProxy }),
    ...(region === undefined ? {} : { region }),
  };
}

/** Durations in milliseconds, and numbers as they are. */
function toTimes(values: Readonly<Record<string, unknown>>, name: string): Record<string, number> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key,
      typeof value === "string" ? toMs(value, `${name}.${key}`) : Number(value),
    ]),
  );
}

function toMs(text: string, name: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new ConfigError(`${name} must be a duration such as "30s"; got "${text}".`);
}
