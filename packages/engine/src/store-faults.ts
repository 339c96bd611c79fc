import type { Clock } from "./rules/clock.ts";
import type { Observer } from "./rules/event.ts";
import { StoreUnavailable } from "./store/unavailable.ts";

/** Milliseconds between two reports of one cause. */
const REPORT_INTERVAL_MS = 60_000;

/**
 * Passes on all events, but limits the faults of an unusable store to one a minute, wherever the engine
 * notices them.
 */
export function limitStoreFaults(observer: Observer, clock: Clock): Observer {
  let last: { readonly message: string; readonly at: number } | undefined;
  return (event) => {
    if (event.type === "fault" && event.error instanceof StoreUnavailable) {
      const { message } = event.error;
      const now = clock.now();
      // The absolute difference also covers a clock that was set back.
      if (last?.message === message && Math.abs(now - last.at) < REPORT_INTERVAL_MS) return;
      last = { message, at: now };
    }
    observer(event);
  };
}
