import { LOWERCASE_PREFIX, toHttpUrl } from "@perdure/core/protocol";
import { EngineError } from "./engine-error.ts";

const MAX_URL_LENGTH = 8192;

/** Characters of a host's name: the limit of DNS. */
const MAX_HOST_LENGTH = 253;

/** The schema of a destination, in JSON Schema. */
export const URL_TEXT = { pattern: "^[Hh][Tt][Tt][Pp][Ss]?:/", maxLength: MAX_URL_LENGTH } as const;

/**
 * Everything after `prefix` in a request's URL, as it was sent: a destination may hold `//`, escapes and a
 * query. It leaves out the parameters of the query that are for the engine (`qstash_token` and `upstash-*`).
 *
 * @param url the whole URL of the request to the engine
 * @param prefix path that ends where the destination begins: `/v2/publish/`
 */
export function rawDestination(url: string, prefix: string): string {
  const raw = url.slice(url.indexOf(prefix) + prefix.length);
  const mark = raw.indexOf("?");
  if (mark < 0) return raw;
  const parameters = raw.slice(mark + 1).split("&");
  const own = parameters.filter((parameter) => !isForEngine(parameter));
  if (own.length === parameters.length) return raw;
  return own.length > 0 ? `${raw.slice(0, mark)}?${own.join("&")}` : raw.slice(0, mark);
}

/** Returns the reason why the engine doesn't deliver to a URL; `undefined` when it does. */
export interface DestinationLimits {
  readonly refusal?: ((url: string) => string | undefined) | undefined;
}

/**
 * A destination that requests can be sent to, as `new URL()` writes it. A scheme's second slash may be
 * missing: proxies that tidy paths remove it.
 *
 * @throws EngineError `invalid_request`
 */
export function checkDestination(destination: string, limits: DestinationLimits = {}): string {
  if (destination.length > MAX_URL_LENGTH) {
    throw new EngineError(
      "invalid_request",
      `invalid destination url: it is longer than ${MAX_URL_LENGTH} characters`,
    );
  }
  const given = destination.replace(/^(https?):\/+(?=[^/])/i, "$1://");
  if (!/^https?:\/\//i.test(given)) {
    throw new EngineError(
      "invalid_request",
      "invalid destination url: endpoint has invalid scheme, add http:// or https://",
    );
  }
  const url = toHttpUrl(given);
  if (url === undefined)
    throw new EngineError(
      "invalid_request",
      `invalid destination url: ${JSON.stringify(destination)} is not a URL`,
    );
  const { username, password, hostname } = new URL(url);
  if (hostname.length > MAX_HOST_LENGTH) {
    throw new EngineError(
      "invalid_request",
      `invalid destination url: the name of its host is longer than ${MAX_HOST_LENGTH} characters`,
    );
  }
  if (username || password) {
    throw new EngineError(
      "invalid_request",
      "invalid destination url: credentials belong in a forwarded header, not in the url",
    );
  }
  const refusal = limits.refusal?.(url);
  if (refusal !== undefined) throw new EngineError("invalid_request", `invalid destination url: ${refusal}`);
  return url;
}

function isForEngine(parameter: string): boolean {
  // The name may be escaped: a parameter that the engine reads never reaches the destination.
  const [written = ""] = new URLSearchParams(parameter).keys();
  const name = written.toLowerCase();
  return name === "qstash_token" || name.startsWith(LOWERCASE_PREFIX.own);
}

/** The host of a URL with its port, and its path without the query, as the URL has them. */
export function placeOf(url: string): { readonly host: string; readonly path: string } {
  const [bare = ""] = url.slice(url.indexOf("://") + "://".length).split("?", 1);
  const slash = bare.indexOf("/");
  return slash < 0 ? { host: bare, path: "/" } : { host: bare.slice(0, slash), path: bare.slice(slash) };
}
