/** Dot segments, escaped or not, and backslashes: `new URL` makes another path of them. */
const REWRITTEN = /\\|\/(?:\.|%2e){1,2}(?:\/|$)/i;

/**
 * Whether a path isn't read as it was sent. Then a proxy or router in front has decided on another path than the workflow
 * would see, and the request must be refused with 400.
 */
export function isRewritten(target: string): boolean {
  return REWRITTEN.test(target.replace(/[?#].*$/s, ""));
}

/** @throws TypeError with the `statusCode` 400, which frameworks answer with, for a path that {@link isRewritten} */
export function checkPath(target: string): void {
  if (!isRewritten(target)) return;
  const message = "The request's path has dot segments or backslashes, and was refused.";
  throw Object.assign(new TypeError(message), { statusCode: 400 });
}
