import {
  readVariable,
  readVariables,
  SIGNING_KEY_VARIABLES,
  upstashName,
  type VariableName,
} from "@perdure/core/protocol";
import { ConfigError } from "./values.ts";

/**
 * The settings of `perdure dev` and `perdure start`: the source of their flags with the help, their
 * environment variables and the table in `docs/operations.md`. A setting has the name of its flag, in camel
 * case; `file` is its key in the file of `--config`. The engine's own options have a separate table:
 * `ENGINE_OPTIONS`.
 */
export const SETTINGS = {
  config: {
    flag: "--config <file>",
    help: "settings as JSON; flags and the environment win",
    start: { env: "PERDURE_CONFIG", default: "none" },
  },
  host: {
    flag: "--host <name>",
    help: "address to listen on",
    file: "host",
    dev: { default: "127.0.0.1" },
    start: { env: "PERDURE_HOST", default: "127.0.0.1" },
  },
  port: {
    flag: "--port <number>",
    help: "port to listen on; 0 picks a free one",
    file: "port",
    dev: { shared: true, env: "PERDURE_DEV_PORT", default: "8080" },
    start: { env: "PERDURE_PORT", default: "8080" },
  },
  db: {
    flag: "--db <file>",
    help: "database: a file, or for perdure start a PostgreSQL URL",
    file: "db",
    dev: { default: ".perdure/dev.db" },
    start: { env: "PERDURE_DB", default: ".perdure/perdure.db" },
  },
  logLevel: {
    flag: "--log-level <level>",
    help: "silent, error, info or debug",
    file: "logLevel",
    dev: { default: "info" },
    start: { env: "PERDURE_LOG_LEVEL", default: "info" },
  },
  token: {
    flag: "--token <token>",
    help: "token that clients must send",
    file: "tokens",
    dev: { shared: true, env: "PERDURE_TOKEN", default: "the public one of development" },
    start: { shared: true, env: "PERDURE_TOKEN" },
  },
  readOnlyTokens: {
    help: "tokens that may read everything but the signing keys",
    file: "readOnlyTokens",
    list: true,
    start: { env: "PERDURE_READ_ONLY_TOKENS", default: "none" },
  },
  currentSigningKey: {
    flag: "--current-signing-key <key>",
    help: "key that signs deliveries",
    file: "signingKeys.current",
    dev: { shared: true, env: "PERDURE_CURRENT_SIGNING_KEY", default: "the public one of development" },
    start: { shared: true, env: "PERDURE_CURRENT_SIGNING_KEY" },
  },
  nextSigningKey: {
    flag: "--next-signing-key <key>",
    help: "key that replaces the current one when keys are rotated",
    file: "signingKeys.next",
    dev: { shared: true, env: "PERDURE_NEXT_SIGNING_KEY", default: "the public one of development" },
    start: { shared: true, env: "PERDURE_NEXT_SIGNING_KEY" },
  },
  metricsToken: {
    flag: "--metrics-token <token>",
    help: "token that /metrics requires",
    file: "metricsToken",
    start: { env: "PERDURE_METRICS_TOKEN", default: "no metrics" },
  },
  dashboard: {
    flag: "--dashboard",
    help: "serve the dashboard at /dashboard",
    file: "dashboard",
    start: { env: "PERDURE_DASHBOARD", default: "off" },
  },
  otlpEndpoint: {
    flag: "--otlp-endpoint <url>",
    help: "OpenTelemetry collector that gets traces, without /v1/traces",
    file: "otlpEndpoint",
    start: { env: "PERDURE_OTLP_ENDPOINT", default: "no traces" },
  },
  drain: {
    flag: "--drain <duration>",
    help: "time for deliveries in progress to end at shutdown",
    file: "drain",
    start: { env: "PERDURE_DRAIN", default: "25s" },
  },
  allowDestination: {
    flag: "--allow-destination <rule>",
    help: "address, range or host that deliveries may go to",
    file: "destinations.allow",
    list: true,
    start: { env: "PERDURE_ALLOW_DESTINATIONS", default: "none" },
  },
  denyDestination: {
    flag: "--deny-destination <rule>",
    help: "address, range or host that deliveries may not go to",
    file: "destinations.deny",
    list: true,
    start: { env: "PERDURE_DENY_DESTINATIONS", default: "none" },
  },
  allowHost: {
    flag: "--allow-host <name>",
    help: "name that the Host header may have",
    file: "allowHosts",
    list: true,
    dev: { default: "none" },
    start: { env: "PERDURE_ALLOW_HOSTS", default: "any" },
  },
  allowOrigin: {
    flag: "--allow-origin <origin>",
    help: "origin whose pages may call the engine and read its answers (CORS)",
    file: "allowOrigins",
    list: true,
    dev: { default: "none" },
    start: { env: "PERDURE_ALLOW_ORIGINS", default: "any may call, none may read" },
  },
  set: {
    flag: "--set <name=value>",
    help: "option of the engine, such as limits.retries=20 or timeouts.delivery=1m",
    list: true,
    dev: { default: "none" },
    start: { default: "none" },
  },
} as const;

export interface Setting {
  readonly flag?: string;
  readonly help: string;
  readonly file?: string;
  /** The user may repeat the flag; the variable separates values by commas. */
  readonly list?: true;
  readonly dev?: Source;
  readonly start?: Source;
}

type Source = OwnSource | SharedSource;

interface OwnSource {
  readonly env?: string;
  readonly default?: string;
}

/** A variable that apps read, too: it may also have the name that Upstash's SDKs read. */
interface SharedSource {
  readonly shared: true;
  readonly env: VariableName;
  readonly default?: string;
}

export type CommandName = "dev" | "start";
type Table = typeof SETTINGS;
type NameOf<Command extends CommandName> = {
  [Name in keyof Table]: Table[Name] extends Readonly<Record<Command, unknown>> ? Name : never;
}[keyof Table];

/** The flags of a command. Each is optional. */
export type FlagsOf<Command extends CommandName> = {
  readonly [Name in NameOf<Command> as Table[Name] extends { readonly flag: string } ? Name : never]?: FlagOf<
    Table[Name]
  >;
};

/** A flag without a value is true; a flag with `list` may be repeated. */
type FlagOf<Row> = Row extends { readonly list: true }
  ? readonly string[]
  : Row extends { readonly flag: `${string}<${string}` }
    ? string
    : boolean;

export type Env = Readonly<Record<string, string | undefined>>;

/** Reads the settings of a command: a flag wins over its variable, and an empty string counts as not set. */
export interface Reader<Command extends CommandName> {
  one(name: NameOf<Command>): string | undefined;
  list(name: NameOf<Command>): readonly string[] | undefined;
  /** The flag or the variable that sets a value, for errors. */
  sourceOf(name: NameOf<Command>): string | undefined;
  /** A flag without a value. Its variable is `1` or `true` for on, and `0` or `false` for off. */
  flag(name: NameOf<Command>): boolean | undefined;
}

export function createReader<Command extends CommandName>(
  command: Command,
  flags: FlagsOf<Command>,
  env: Env,
): Reader<Command> {
  const given: Readonly<Record<string, string | readonly string[] | boolean | undefined>> = flags;
  const settings: Readonly<Record<string, Setting>> = SETTINGS;
  const fromEnv = (name: string): string | undefined => {
    const source = settings[name]?.[command];
    if (source && "shared" in source) return readShared(env, source.env);
    // Deno throws for a variable without a name.
    return source?.env === undefined ? undefined : env[source.env];
  };
  return {
    one(name) {
      const flag = given[name];
      return (typeof flag === "string" && flag) || fromEnv(name) || undefined;
    },
    list(name) {
      const flag = given[name];
      return typeof flag === "object" ? flag : listOf(fromEnv(name));
    },
    sourceOf(name) {
      if (given[name]) return settings[name]?.flag?.split(" ")[0];
      return fromEnv(name) ? settings[name]?.[command]?.env : undefined;
    },
    flag(name) {
      const flag = given[name];
      return typeof flag === "boolean" ? flag : toFlag(fromEnv(name), settings[name]?.[command]?.env);
    },
  };
}

/** Returns the flags of a command with their help, which ends with the variable and the default. */
export function flagsOf(command: CommandName): { flag: string; help: string; list: boolean }[] {
  return Object.values(SETTINGS).flatMap((setting: Setting) => {
    const source = setting[command];
    if (!source || setting.flag === undefined) return [];
    const names = "shared" in source ? [source.env, upstashName(source.env)] : [source.env];
    const otherwise = [...names, source.default].filter((one) => one !== undefined).join(" or ");
    const repeated = setting.list ? "; may be repeated" : "";
    return {
      flag: setting.flag,
      help: `${setting.help}${repeated} (default: ${otherwise})`,
      list: setting.list ?? false,
    };
  });
}

function toFlag(value: string | undefined, name: string | undefined): boolean | undefined {
  if (!value) return undefined;
  if (/^(?:1|true)$/.test(value)) return true;
  if (/^(?:0|false)$/.test(value)) return false;
  throw new ConfigError(`${name} must be true or false; got "${value}".`);
}

/** Reads a variable under either name, and a signing key under the names of its pair. */
function readShared(env: Env, name: VariableName): string | undefined {
  const key = SIGNING_KEY_VARIABLES.indexOf(name);
  return key < 0 ? readVariable(env, name).value : readVariables(env, SIGNING_KEY_VARIABLES)[key]?.value;
}

/** Splits the value of a variable at its commas. */
function listOf(value: string | undefined): string[] | undefined {
  const list = value
    ?.split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return list && list.length > 0 ? list : undefined;
}
