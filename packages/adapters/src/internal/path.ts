/** Dot segments, escaped or not, and backslashes: `new URL` makes another path of them. */
const REWRITTEN = /\\|\/(?:\.|%2e){1,2}(?:\/|$)/i;

/**
 * Refuses a path that isn't read as it was sent: a proxy or router in front has decided on another path than the workflow
 * would see.
 *
 * @throws TypeError with the `statusCode` 400, which frameworks answer with
 */
export function checkPath(target: string): void {
  if (!REWRITTEN.test(target.replace(/[?#].*$/s, ""))) return;
  const message = "The request's path has dot segments or backslashes, and was refused.";
  throw Object.assign(new TypeError(message), { statusCode: 400 });
}
