import type { Bindings } from "./service.ts";

/**
 * The path and query of a request as the client sent them. `Request` resolves dot segments and replaces
 * backslashes.
 */
export function targetOf({ url }: Request, { target = url }: Bindings = {}): string {
  // A client of a proxy sends the whole URL.
  return target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "");
}

/**
 * The path as the client sent it. The engine routes by it, so that the engine and a proxy in front of it
 * read the path in the same way.
 */
export function pathOf(request: Request, bindings?: Bindings): string {
  return targetOf(request, bindings).replace(/[?#].*$/s, "");
}

const REWRITABLE = /\\|\/(?=\/)|\/(?:\.|%2e){1,2}(?=\/|$)/i;
/** Escapes of characters that need no escape: letters, digits, `-._~`. */
const NEEDLESS_ESCAPE = /%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])/i;

/**
 * True for a path that a proxy may read differently: dot segments, backslashes, empty segments, needless
 * escapes.
 */
export function isAmbiguous(path: string): boolean {
  return REWRITABLE.test(path) || NEEDLESS_ESCAPE.test(path);
}
