import { mustBe } from "./check.ts";

/**
 * Normalizes an absolute HTTP URL as `new URL()` does, and removes the fragment, which no request contains. A URL without a path
 * stays without one.
 *
 * @returns undefined for a value that isn't an absolute HTTP URL
 * @example
 * ```ts
 * toHttpUrl("HTTPS://App.example.com/a b#top"); // "https://app.example.com/a%20b"
 * toHttpUrl("ftp://example.com"); // undefined
 * ```
 */
export function toHttpUrl(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^https?:\/\//i.test(value) || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  url.hash = "";
  return url.href === `${value}/` ? value : url.href;
}

/**
 * Like {@link toHttpUrl}, for an option.
 *
 * @throws TypeError that names the option
 * @example
 * ```ts
 * checkUrl("baseUrl", "example.com"); // TypeError: baseUrl must be an http:// or https:// URL; got "example.com".
 * ```
 */
export function checkUrl(what: string, value: unknown): string {
  const url = toHttpUrl(value);
  if (url === undefined) throw mustBe(what, "an http:// or https:// URL", value);
  return url;
}

/**
 * Returns the form in which equivalent URLs are equal (RFC 3986, section 6.2.2): case of scheme, host and escapes, unneeded
 * escapes, default ports, dot segments. In a query, `+` and `%20` are equivalent, because frameworks rewrite one as the other.
 */
export function normalizeUrl(original: string | URL): URL {
  const url = new URL(original);
  url.hash = "";
  url.pathname = normalizeEscapes(url.pathname);
  url.search = normalizeEscapes(url.searchParams.toString());
  return url;
}

/**
 * Returns the same string for equivalent URLs, and a string that isn't a URL as it is.
 *
 * @example
 * ```ts
 * urlKey("https://app.example.com:443/%7Ea") === urlKey("https://app.example.com/~a"); // true
 * ```
 */
export function urlKey(url: string): string {
  return URL.canParse(url) ? normalizeUrl(url).href : url;
}

/**
 * True for equivalent URLs.
 *
 * @example
 * ```ts
 * isSameUrl("https://app.example.com", "https://APP.example.com/"); // true
 * ```
 */
export function isSameUrl(one: string, other: string): boolean {
  return one === other || urlKey(one) === urlKey(other);
}

const UNRESERVED = /[\w.~-]/;

function normalizeEscapes(part: string): string {
  return part.replace(/%[\da-f]{2}|["<>[\\\]^`{|}]/gi, (match) => {
    if (match.length === 1) return encodeURIComponent(match);
    const character = String.fromCharCode(Number.parseInt(match.slice(1), 16));
    return UNRESERVED.test(character) ? character : match.toUpperCase();
  });
}
