import type { ReplayGuard } from "./signature.ts";

/** Seconds that the guard keeps an expired token: a token accepted at its last moment reaches the guard a little later. */
const EXPIRY_MARGIN_SECONDS = 60;

/**
 * Remembers the tokens that one process has seen, until they expire.
 *
 * @param now milliseconds since 1970. Default: the machine's clock
 * @example
 * ```ts
 * serve(workflow, { keys, replayGuard: memoryReplayGuard() });
 * ```
 */
export function memoryReplayGuard(now: () => number = Date.now): ReplayGuard {
  // In the order in which they arrive, which is nearly the order in which they expire.
  const expiries = new Map<string, number>();
  return {
    seen(tokenId, expiresAt) {
      const seconds = now() / 1000 - EXPIRY_MARGIN_SECONDS;
      for (const [known, expiry] of expiries) {
        if (expiry > seconds) break;
        expiries.delete(known);
      }
      const seen = expiries.has(tokenId);
      expiries.set(tokenId, expiresAt);
      return seen;
    },
  };
}
