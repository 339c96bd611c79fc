import { DEV_CREDENTIALS, readVariable } from "@perdure/core/protocol";
import type { SigningKeys } from "../delivery/signer.ts";
import type { BrowserRules } from "../http/browser-guard.ts";
import type { ScalarOptions } from "../rules/engine-options.ts";
import { isPostgresUrl } from "../store/postgres/location.ts";
import { readEngineOptions } from "./engine-options.ts";
import { createReader, type Env, type FlagsOf, SETTINGS } from "./settings.ts";
import { ConfigError, type LogLevel, toBrowserRules, toLevel, toPort } from "./values.ts";

/** The configuration of `perdure dev`. */
export interface Config {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** The database's path. */
  readonly db: string;
  readonly logLevel: LogLevel;
  readonly token: string;
  readonly signingKeys: SigningKeys;
  readonly browsers: BrowserRules;
  /** The engine's options from `--set`. */
  readonly engine: ScalarOptions;
}

/** The flags of `perdure dev`. */
export type DevFlags = FlagsOf<"dev">;

/** @throws ConfigError for the URL of a PostgreSQL database */
function toFile(db: string): string {
  if (!isPostgresUrl(db)) return db;
  throw new ConfigError("perdure dev keeps its database in a file. For PostgreSQL use perdure start.");
}

/**
 * Reads the configuration: flags win over the environment, and the environment over the defaults of a
 * development server.
 *
 * @throws ConfigError
 */
export function readConfig(flags: DevFlags, env: Env): Config {
  const settings = createReader("dev", flags, env);
  // In development mode, clients always send the public credentials.
  const isDevMode = /^(?:1|true)$/.test(readVariable(env, "PERDURE_DEV").value ?? "");
  const secrets = isDevMode ? createReader("dev", flags, {}) : settings;
  const current = secrets.one("currentSigningKey");
  const next = secrets.one("nextSigningKey");
  if ((current === undefined) !== (next === undefined)) {
    throw new ConfigError("The current and the next signing key go together: give both of them, or none.");
  }
  const { host, db, logLevel } = SETTINGS;
  const address = settings.one("host") ?? host.dev.default;
  return {
    host: address,
    port: toPort(flags.port ?? settings.one("port"), settings.sourceOf("port")),
    db: toFile(settings.one("db") ?? db.dev.default),
    logLevel: toLevel(settings.one("logLevel") ?? logLevel.dev.default, settings.sourceOf("logLevel")),
    token: secrets.one("token") ?? DEV_CREDENTIALS.token,
    signingKeys: {
      current: current ?? DEV_CREDENTIALS.currentSigningKey,
      next: next ?? DEV_CREDENTIALS.nextSigningKey,
    },
    browsers: toBrowserRules(address, settings.list("allowHost") ?? [], settings.list("allowOrigin") ?? []),
    engine: readEngineOptions(settings.list("set") ?? [], {}, {}),
  };
}
