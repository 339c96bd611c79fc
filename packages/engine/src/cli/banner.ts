import { resolve } from "node:path";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import colors from "picocolors";
import type { Config } from "../config.ts";
import { urlOf } from "./listen.ts";

export interface BannerOptions {
  readonly config: Config;
  /** The one it got. */
  readonly port: number;
  readonly version: string;
}

/** What a developer needs first: the address, and the four variables to paste. */
export function banner({ config, port, version }: BannerOptions): string {
  const url = urlOf(config.host, port);
  const { token, signingKeys } = config;
  const masked = [
    ["QSTASH_TOKEN", token, DEV_CREDENTIALS.token],
    ["QSTASH_CURRENT_SIGNING_KEY", signingKeys.current, DEV_CREDENTIALS.currentSigningKey],
    ["QSTASH_NEXT_SIGNING_KEY", signingKeys.next, DEV_CREDENTIALS.nextSigningKey],
  ].map(([name, value, known]) => `${name}=${value === known ? value : mask(value as string)}`);
  return [
    // Tools wait for the words "running at".
    `${colors.bold("Perdure")} engine running at ${colors.cyan(url)}`,
    `${colors.dim("version")}  ${version}`,
    `${colors.dim("database")} ${resolve(config.db)}`,
    "",
    colors.dim("For your app's environment:"),
    `QSTASH_URL=${url}`,
    ...masked,
    "",
  ].join("\n");
}

/** Secrets that aren't public don't belong on a screen: enough of them to tell which one it is. */
function mask(secret: string): string {
  return `${secret.slice(0, 4)}… ${colors.dim("(yours)")}`;
}
