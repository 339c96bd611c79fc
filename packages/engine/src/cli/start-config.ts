import { isPublicSecret, parseDuration } from "@perdure/core/protocol";
import { createPolicy, type DestinationRules } from "../delivery/policy.ts";
import type { BrowserRules } from "../http/browser-guard.ts";
import type { ScalarOptions } from "../rules/engine-options.ts";
import { messageOf } from "../rules/thrown.ts";
import type { ServerOptions, Tenant } from "../server.ts";
import { readEngineOptions } from "./engine-options.ts";
import { createReader, type Env, type FlagsOf, type Reader, SETTINGS } from "./settings.ts";
import type { FileTenant, StartFile } from "./start-file.ts";
import { beside, userOf } from "./users.ts";
import { ConfigError, from, type LogLevel, toBrowserRules, toLevel, toPort } from "./values.ts";

/** The flags of `perdure start`. */
export type StartFlags = FlagsOf<"start">;

/** A user of the engine, with the path of its database. */
export type StartTenant = Tenant & { readonly store: string };

/** The configuration of `perdure start`. */
export interface StartConfig {
  readonly host: string;
  readonly port: number;
  readonly logLevel: LogLevel;
  readonly tenants: readonly StartTenant[];
  /** Without a token the engine serves no metrics. */
  readonly metricsToken: string | undefined;
  /** True when the engine serves the dashboard. */
  readonly dashboard: boolean;
  /** The address of an OpenTelemetry collector. Without it, the engine exports no traces. */
  readonly otlpEndpoint: string | undefined;
  /** Milliseconds that deliveries in progress get to end after a signal to stop. */
  readonly drain: number;
  readonly browsers: BrowserRules;
  readonly engine: ScalarOptions & Pick<ServerOptions, "destinations">;
}

type Settings = Reader<"start">;

const HOW_TO_MAKE_SECRETS = "Make them with: perdure keys new, or one with: openssl rand -base64 32";

/**
 * 16 random characters of Base64 hold 96 bits. An endpoint that receives a signed delivery can try keys
 * offline, as fast as its machines allow: shorter keys don't withstand that.
 */
const MIN_SECRET_LENGTH = 16;

/**
 * Reads the configuration: flags win over the environment, the environment over the file, and the file over
 * the defaults.
 *
 * @throws ConfigError
 */
export function readStartConfig(flags: StartFlags, env: Env, file: StartFile): StartConfig {
  const settings = createReader("start", flags, env);
  const port = settings.one("port");
  const logLevel = settings.one("logLevel");
  const tenants = readTenants(settings, file);
  const metricsToken = settings.one("metricsToken") ?? file.metricsToken;
  checkSecrets(tenants, metricsToken);
  const host = settings.one("host") ?? file.host ?? SETTINGS.host.start.default;
  return {
    host,
    port:
      port === undefined
        ? (file.port ?? Number(SETTINGS.port.start.default))
        : toPort(port, settings.sourceOf("port")),
    logLevel: toLevel(
      logLevel ?? file.logLevel ?? SETTINGS.logLevel.start.default,
      settings.sourceOf("logLevel"),
    ),
    tenants,
    metricsToken,
    dashboard: settings.flag("dashboard") ?? file.dashboard ?? false,
    otlpEndpoint: toOtlpEndpoint(
      settings.one("otlpEndpoint") ?? file.otlpEndpoint,
      settings.sourceOf("otlpEndpoint"),
    ),
    drain: toDrain(
      settings.one("drain") ?? file.drain ?? SETTINGS.drain.start.default,
      settings.sourceOf("drain"),
    ),
    browsers: readBrowsers(host, settings, file),
    engine: {
      ...readEngineOptions(settings.list("set") ?? [], env, file),
      destinations: readDestinations(settings, file),
    },
  };
}

function toOtlpEndpoint(given: string | undefined, source: string | undefined): string | undefined {
  if (given === undefined || /^https?:$/.test(URL.parse(given)?.protocol ?? "")) return given;
  throw new ConfigError(
    `The OTLP endpoint must be a URL that begins with http:// or https://; got "${given}"${from(source)}.`,
  );
}

function readTenants(settings: Settings, file: StartFile): StartTenant[] {
  const token = settings.one("token");
  const current = settings.one("currentSigningKey");
  const next = settings.one("nextSigningKey");
  if ((current === undefined) !== (next === undefined)) {
    throw new ConfigError("The current and the next signing key go together: give both of them, or none.");
  }
  const tokens = token === undefined ? file.tokens : [token];
  const signingKeys = current !== undefined && next !== undefined ? { current, next } : file.signingKeys;
  const db = settings.one("db") ?? file.db ?? SETTINGS.db.start.default;
  const others = (file.tenants ?? []).map((tenant) =>
    toTenant(tenant, tenant.user, tenant.db ?? beside(db, tenant.user)),
  );
  if (tokens === undefined && signingKeys === undefined && others.length > 0) return others;
  if (tokens === undefined)
    throw new ConfigError(
      `PERDURE_TOKEN is missing: the token that clients must send.\n${HOW_TO_MAKE_SECRETS}`,
    );
  if (!signingKeys) {
    throw new ConfigError(
      `PERDURE_CURRENT_SIGNING_KEY and PERDURE_NEXT_SIGNING_KEY are missing: the engine signs deliveries with them.\n${HOW_TO_MAKE_SECRETS}`,
    );
  }
  const readOnlyTokens = settings.list("readOnlyTokens") ?? file.readOnlyTokens;
  return [toTenant({ tokens, readOnlyTokens, signingKeys }, userOf(tokens[0] as string), db), ...others];
}

function toTenant(own: Omit<FileTenant, "user" | "db">, user: string, store: string): StartTenant {
  const { tokens, readOnlyTokens = [], signingKeys } = own;
  return { user, token: tokens, readOnlyTokens, signingKeys, store };
}

/**
 * @throws ConfigError for a secret that is public or can be guessed, and for a metrics token with another use
 */
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

/** Checks one secret. The error doesn't show it. */
function checkSecret(name: string, secret: string): void {
  if (isPublicSecret(secret)) {
    throw new ConfigError(
      `${name} is one of the public ones of development, which protect nothing: everybody knows them.\n${HOW_TO_MAKE_SECRETS}`,
    );
  }
  if (secret !== secret.trim()) {
    throw new ConfigError(
      `${name} begins or ends with a space or a line feed. Files often end with one: leave it out.`,
    );
  }
  if (secret.length < MIN_SECRET_LENGTH) {
    throw new ConfigError(
      `${name} has ${secret.length} characters. It must have at least ${MIN_SECRET_LENGTH} random ones: shorter secrets can be guessed.\n${HOW_TO_MAKE_SECRETS}`,
    );
  }
}

function readDestinations(settings: Settings, file: StartFile): DestinationRules {
  const rules = {
    allow: settings.list("allowDestination") ?? file.destinations?.allow ?? [],
    deny: settings.list("denyDestination") ?? file.destinations?.deny ?? [],
  };
  try {
    createPolicy(rules);
    return rules;
  } catch (cause) {
    throw new ConfigError(`The destinations can't be used: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Checks `Host` and `Origin` only if the settings ask for it: secret tokens already keep browser pages out.
 */
function readBrowsers(host: string, settings: Settings, file: StartFile): BrowserRules {
  const hosts = settings.list("allowHost") ?? file.allowHosts;
  const origins = settings.list("allowOrigin") ?? file.allowOrigins;
  return {
    ...toBrowserRules(host, hosts ?? [], origins ?? []),
    ...(hosts ? {} : { hosts }),
    ...(origins ? {} : { origins }),
  };
}

function toDrain(text: string, source: string | undefined): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new ConfigError(`The time to drain must be a duration such as "30s"; got "${text}"${from(source)}.`);
}
