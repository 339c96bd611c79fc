import {
  CONNECTION_HEADERS,
  HEADER,
  LOWERCASE_HEADER,
  LOWERCASE_PREFIX,
  PREFIX,
} from "@perdure/core/protocol";
import { invalid } from "./engine-error.ts";
import { toFlag, toHeaderValue } from "./field.ts";
import { type HeaderList, isHeaderName } from "./header.ts";

const FORWARD = LOWERCASE_PREFIX.forward;
const OWN = LOWERCASE_PREFIX.own;

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
 * Reads the headers to forward: those with the prefix, and with {@link HEADER.headerForward} all others that
 * don't belong to the request itself. A header with the prefix wins.
 *
 * @throws EngineError `invalid_request` that names the field
 */
export function readForwarded(
  headers: ReadonlyMap<string, string>,
  shown: (name: string) => string,
): HeaderList {
  const named = withPrefix(headers, FORWARD, "");
  const all = headers.get(LOWERCASE_HEADER.headerForward);
  const rest = all !== undefined && toFlag(all, shown(HEADER.headerForward)) ? ofSender(headers) : [];
  return [...new Map([...rest, ...named])].map(checkForward);
}

// Headers between the sender and the engine, and headers that the engine sends to the destination by itself.
const OF_REQUEST: ReadonlySet<string> = new Set([
  ...CONNECTION_HEADERS,
  "accept-encoding",
  "authorization",
  "content-type",
]);

function ofSender(headers: ReadonlyMap<string, string>): [string, string][] {
  const listed = (headers.get("connection") ?? "").toLowerCase().split(",");
  const named = new Set(listed.map((name) => name.trim()));
  return [...headers].filter(([name]) => !name.startsWith(OWN) && !OF_REQUEST.has(name) && !named.has(name));
}

function checkForward([name, value]: [string, string]): [string, string] {
  if (!isHeaderName(name))
    throw invalid(PREFIX.forward + name, "the part after the prefix must be a header name");
  return [name, toHeaderValue(value, PREFIX.forward + name)];
}
