import { resolve } from "node:path";
import { DEV_CREDENTIALS, upstashName, type VariableName } from "@perdure/core/protocol";
import colors from "picocolors";
import { DEFAULT_BASE_PATH } from "../dashboard/index.ts";
import type { Config } from "./dev-config.ts";
import { urlOf } from "./listen.ts";
import { isWildcard } from "./values.ts";

export interface BannerOptions {
  readonly config: Config;
  /** The port that the server listens on, also when the configuration leaves the choice to the system. */
  readonly port: number;
  readonly version: string;
  /** True when an app starts beside the engine: it has the variables already. */
  readonly hasApp?: boolean;
}

const DOCS = new URL("../../README.md", import.meta.url).pathname;

/**
 * Returns the variables that an app needs to reach this engine and to verify its deliveries: under the names
 * that Perdure reads, and under those that Upstash's SDKs read.
 */
export function appVariables({ config, port }: Omit<BannerOptions, "version">): Record<string, string> {
  const { host, token, signingKeys } = config;
  const variables = {
    PERDURE_URL: urlOf(isWildcard(host) ? "127.0.0.1" : host, port),
    PERDURE_TOKEN: token,
    PERDURE_CURRENT_SIGNING_KEY: signingKeys.current,
    PERDURE_NEXT_SIGNING_KEY: signingKeys.next,
  };
  const names = Object.entries(variables) as [VariableName, string][];
  const both = names.flatMap(([name, value]) => [
    [name, value],
    [upstashName(name), value],
  ]);
  return { ...Object.fromEntries(both), ...devVariables({ config, port }) };
}

/** With these, an app takes the public credentials of development without a warning. Upstash's SDKs have another mode. */
function devVariables({ config, port }: Omit<BannerOptions, "version">): Record<string, string> {
  const { host, token, signingKeys } = config;
  const isPublic =
    token === DEV_CREDENTIALS.token &&
    signingKeys.current === DEV_CREDENTIALS.currentSigningKey &&
    signingKeys.next === DEV_CREDENTIALS.nextSigningKey;
  if (!isPublic || !(isWildcard(host) || host === DEV_HOST)) return {};
  return { PERDURE_DEV: "1", PERDURE_DEV_PORT: String(port) };
}

/** The address that clients in development mode use. */
const DEV_HOST = "127.0.0.1";

/** Formats the banner for a developer: the engine's URL, the variables to paste, and a first request. */
export function banner({ config, port, version, hasApp = false }: BannerOptions): string {
  const url = urlOf(config.host, port);
  const { token, signingKeys } = config;
  const masked = [
    ["PERDURE_TOKEN", token, DEV_CREDENTIALS.token],
    ["PERDURE_CURRENT_SIGNING_KEY", signingKeys.current, DEV_CREDENTIALS.currentSigningKey],
    ["PERDURE_NEXT_SIGNING_KEY", signingKeys.next, DEV_CREDENTIALS.nextSigningKey],
  ].map(([name, value, known]) => `${name}=${value === known ? value : mask(value as string)}`);
  // `PERDURE_DEV=1` makes clients use this address and the public credentials.
  const isDefault =
    port === DEV_CREDENTIALS.port &&
    token === DEV_CREDENTIALS.token &&
    signingKeys.current === DEV_CREDENTIALS.currentSigningKey;
  const variables = [
    "",
    colors.dim(isDefault ? "For your app's environment, PERDURE_DEV=1, or:" : "For your app's environment:"),
    `PERDURE_URL=${url}`,
    ...masked,
    colors.dim("The SDKs of Upstash read the same values from QSTASH_URL, QSTASH_TOKEN …"),
  ];
  return [
    // Other tools wait for the words "running at".
    `${colors.bold("Perdure")} engine running at ${colors.cyan(url)}`,
    `${colors.dim("dashboard")} ${colors.cyan(`${url}${DEFAULT_BASE_PATH}`)}`,
    `${colors.dim("version")}  ${version}`,
    `${colors.dim("database")} ${config.db === ":memory:" ? "in memory, gone when the engine stops" : resolve(config.db)}`,
    ...(hasApp ? [] : variables),
    "",
    colors.dim("To start a run of a workflow that is served at http://localhost:3000/order:"),
    // Every line fits 80 columns, except the token's, which stands alone.
    `curl ${url}/v2/trigger/http://localhost:3000/order \\`,
    `  -H "Authorization: Bearer ${token === DEV_CREDENTIALS.token ? token : "$PERDURE_TOKEN"}" \\`,
    `  -d '{"id":1}'`,
    `${colors.dim("docs")}     ${DOCS}`,
    "",
  ].join("\n");
}

/** Masks a private secret: the screen shows only enough of it to recognise it. */
function mask(secret: string): string {
  return `${secret.slice(0, 4)}… ${colors.dim("(yours)")}`;
}
