import { HEADER, PREFIX } from "@perdure/core/protocol";
import { invalid } from "./engine-error.ts";
import { toFlag, toHeaderValue } from "./field.ts";
import { type HeaderList, isHeaderName } from "./header.ts";

const FORWARD = PREFIX.forward.toLowerCase();
const OWN = PREFIX.own.toLowerCase();

/** Headers whose name begins with `prefix`, with `instead` in its place. */
export function withPrefix(
  headers: ReadonlyMap<string, string>,
  prefix: string,
  instead: string,
): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of headers) {
    if (name.startsWith(prefix)) found.set(instead + name.slice(prefix.length), value);
  }
  return found;
}

/**
 * What a request's headers say is to be forwarded: those under the prefix, and with {@link HEADER.headerForward} all
 * others too that were meant for more than the request itself. What was forwarded by name wins.
 *
 * @throws EngineError `invalid_request` that names the field
 */
export function readForwarded(
  headers: ReadonlyMap<string, string>,
  shown: (name: string) => string,
): HeaderList {
  const named = withPrefix(headers, FORWARD, "");
  const all = headers.get(HEADER.headerForward.toLowerCase());
  const rest = all !== undefined && toFlag(all, shown(HEADER.headerForward)) ? ofSender(headers) : [];
  return [...new Map([...rest, ...named])].map(checkForward);
}

// Between the sender and the engine, or told to the destination by other means.
const OF_REQUEST: ReadonlySet<string> = new Set([
  "accept-encoding",
  "authorization",
  "connection",
  "content-length",
  "content-type",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function ofSender(headers: ReadonlyMap<string, string>): [string, string][] {
  const listed = (headers.get("connection") ?? "").toLowerCase().split(",");
  const named = new Set(listed.map((name) => name.trim()));
  return [...headers].filter(([name]) => !name.startsWith(OWN) && !OF_REQUEST.has(name) && !named.has(name));
}

function checkForward([name, value]: [string, string]): [string, string] {
  if (!isHeaderName(name)) throw invalid(PREFIX.forward + name, "what follows the prefix is no header name");
  return [name, toHeaderValue(value, PREFIX.forward + name)];
}
