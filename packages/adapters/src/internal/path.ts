/** Dot segments, escaped or not, and backslashes: `new URL` rewrites them. */
const REWRITTEN = /\\|\/(?:\.|%2e){1,2}(?:\/|$)/i;

/**
 * True for a path that `new URL` rewrites. A proxy or router in front has routed another path than the workflow would see, so
 * the adapter must refuse the request with 400.
 */
export function isRewritten(target: string): boolean {
  return REWRITTEN.test(target.replace(/[?#].*$/s, ""));
}

/** @throws TypeError whose `statusCode` of 400 frameworks answer with, for a path that {@link isRewritten} */
export function checkPath(target: string): void {
  if (!isRewritten(target)) return;
  const message = "The request's path has dot segments or backslashes. Send the path without them.";
  throw Object.assign(new TypeError(message), { statusCode: 400 });
}
