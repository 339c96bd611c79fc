import { mustBe } from "./check.ts";

/**
 * An absolute HTTP URL as it travels: what `new URL()` makes of it, without the fragment, which no request carries.
 * A URL without a path stays without one.
 *
 * @returns undefined for anything else
 */
export function toHttpUrl(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^https?:\/\//i.test(value) || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  url.hash = "";
  return url.href === `${value}/` ? value : url.href;
}

/**
 * As {@link toHttpUrl}.
 *
 * @throws TypeError that names the option
 */
export function checkUrl(what: string, value: unknown): string {
  const url = toHttpUrl(value);
  if (url === undefined) throw mustBe(what, "an http:// or https:// URL", value);
  return url;
}

/**
 * The form in which equivalent URLs are equal (RFC 3986, section 6.2.2): case of scheme, host and escapes, escapes that
 * aren't needed, default ports, dot segments. In a query, `+` and `%20` are the same: frameworks rewrite one as the other.
 */
export function normalizeUrl(original: string | URL): URL {
  const url = new URL(original);
  url.hash = "";
  url.pathname = normalizeEscapes(url.pathname);
  url.search = normalizeEscapes(url.searchParams.toString());
  return url;
}

/** The same string for equivalent URLs; anything else is equivalent to itself alone. */
export function urlKey(url: string): string {
  return URL.canParse(url) ? normalizeUrl(url).href : url;
}

/** Whether two URLs are equivalent. */
export function isSameUrl(one: string, other: string): boolean {
  return one === other || urlKey(one) === urlKey(other);
}

const UNRESERVED = /[\w.~-]/;

function normalizeEscapes(text: string): string {
  return text.replace(/%[\da-f]{2}|["<>[\\\]^`{|}]/gi, (part) => {
    if (part.length === 1) return encodeURIComponent(part);
    const character = String.fromCharCode(Number.parseInt(part.slice(1), 16));
    return UNRESERVED.test(character) ? character : part.toUpperCase();
  });
}
