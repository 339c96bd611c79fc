import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import type { BrowserRules } from "../http/browser-guard.ts";

export const LEVELS: readonly ["silent", "error", "info", "debug"] = ["silent", "error", "info", "debug"];
export type LogLevel = (typeof LEVELS)[number];

/** A missing or malformed setting. The command prints the message and ends. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** A flag or variable in an error, behind the value. */
export function from(source: string | undefined): string {
  return source === undefined ? "" : ` from ${source}`;
}

/** For each service, Kubernetes sets a variable with its address in the containers of its namespace. */
const OF_KUBERNETES =
  " Kubernetes sets this variable for a service with the name perdure: rename the service, or set enableServiceLinks: false.";

/** Parses a port. @throws ConfigError for anything but a number from 0 to 65535 */
export function toPort(text: string | undefined, source?: string): number {
  if (text === undefined) return DEV_CREDENTIALS.port;
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  const advice = source?.startsWith("PERDURE_") && text.startsWith("tcp://") ? OF_KUBERNETES : "";
  throw new ConfigError(`The port must be a number from 0 to 65535; got "${text}"${from(source)}.${advice}`);
}

/** Parses a log level. @throws ConfigError for anything else */
export function toLevel(text: string, source?: string): LogLevel {
  const level = LEVELS.find((known) => known === text);
  if (level) return level;
  throw new ConfigError(`The log level must be one of ${LEVELS.join(", ")}; got "${text}"${from(source)}.`);
}

/**
 * Allows the address that the server listens on in the `Host` header. A wildcard address allows any IP
 * address.
 */
export function toBrowserRules(
  host: string,
  allowHosts: readonly string[],
  allowOrigins: readonly string[],
): Required<BrowserRules> {
  return { hosts: [host, ...allowHosts], origins: allowOrigins, anyAddress: isWildcard(host) };
}

/** Returns true for a host that listens on all addresses of the machine. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
