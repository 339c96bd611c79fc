import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import type { SigningKeys } from "./delivery/signer.ts";
import type { BrowserRules } from "./http/browser-guard.ts";

export const LEVELS: readonly ["silent", "error", "info", "debug"] = ["silent", "error", "info", "debug"];
export type LogLevel = (typeof LEVELS)[number];

/** How `perdure dev` runs. */
export interface Config {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** The database's path. */
  readonly db: string;
  readonly logLevel: LogLevel;
  readonly token: string;
  readonly signingKeys: SigningKeys;
  readonly browsers: BrowserRules;
}

/** What the command line says; each of them may be left out. */
export interface Flags {
  readonly host?: string;
  readonly port?: string;
  readonly db?: string;
  readonly logLevel?: string;
  readonly token?: string;
  readonly currentSigningKey?: string;
  readonly nextSigningKey?: string;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
}

/** A setting that can't be used. The message is for whoever typed it. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/**
 * Flags win over the environment, and that over the defaults of a development server.
 *
 * @throws ConfigError
 */
export function readConfig(flags: Flags, env: Readonly<Record<string, string | undefined>>): Config {
  // In its development mode, the official client shows the public credentials whatever else is set.
  const secrets = /^(?:1|true)$/.test(env.QSTASH_DEV ?? "") ? {} : env;
  // Set to nothing counts as not set.
  const current = flags.currentSigningKey || secrets.QSTASH_CURRENT_SIGNING_KEY || undefined;
  const next = flags.nextSigningKey || secrets.QSTASH_NEXT_SIGNING_KEY || undefined;
  if ((current === undefined) !== (next === undefined)) {
    throw new ConfigError("The current and the next signing key go together: give both of them, or none.");
  }
  const host = flags.host ?? "127.0.0.1";
  return {
    host,
    port: toPort(flags.port ?? (env.QSTASH_DEV_PORT || undefined)),
    db: flags.db ?? ".perdure/dev.db",
    logLevel: toLevel(flags.logLevel ?? "info"),
    token: flags.token || secrets.QSTASH_TOKEN || DEV_CREDENTIALS.token,
    signingKeys: {
      current: current ?? DEV_CREDENTIALS.currentSigningKey,
      next: next ?? DEV_CREDENTIALS.nextSigningKey,
    },
    browsers: toBrowserRules(host, flags.allowHost ?? [], flags.allowOrigin ?? []),
  };
}

/** @throws ConfigError for anything but a number from 0 to 65535 */
export function toPort(text: string | undefined): number {
  if (text === undefined) return DEV_CREDENTIALS.port;
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new ConfigError(`The port must be a number from 0 to 65535; got "${text}".`);
}

/** @throws ConfigError for anything but a level */
export function toLevel(text: string): LogLevel {
  const level = LEVELS.find((known) => known === text);
  if (level) return level;
  throw new ConfigError(`The log level must be one of ${LEVELS.join(", ")}; got "${text}".`);
}

/** The values of a variable that lists them with commas; undefined for none. */
export function listOf(value: string | undefined): string[] | undefined {
  const list = value
    ?.split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return list && list.length > 0 ? list : undefined;
}

/** The address that a server listens on may be in the `Host` header; one that stands for all addresses, any of them. */
export function toBrowserRules(
  host: string,
  allowHosts: readonly string[],
  allowOrigins: readonly string[],
): Required<BrowserRules> {
  const anyAddress = host === "0.0.0.0" || host === "::";
  return { hosts: [host, ...allowHosts], origins: allowOrigins, anyAddress };
}
