import type { Bindings } from "./service.ts";

/** Path and query of a request as its client sent them. `Request` resolves dot segments and turns backslashes. */
export function targetOf({ url }: Request, { target = url }: Bindings = {}): string {
  // A proxy's client sends the whole URL.
  return target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "");
}

/** The path alone. Requests are routed by it, so that a path means one thing to whatever stands in front, and here. */
export function pathOf(request: Request, bindings?: Bindings): string {
  return targetOf(request, bindings).replace(/[?#].*$/s, "");
}

const REWRITABLE = /\\|\/(?=\/)|\/(?:\.|%2e){1,2}(?=\/|$)/i;
/** Escapes of characters that need none: letters, digits, `-._~`. */
const NEEDLESS_ESCAPE = /%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])/i;

/** Whether others may read a path as another one: dot segments, backslashes, empty segments, needless escapes. */
export function isAmbiguous(path: string): boolean {
  return REWRITABLE.test(path) || NEEDLESS_ESCAPE.test(path);
}
