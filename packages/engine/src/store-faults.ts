import type { Clock } from "./rules/clock.ts";
import type { Observer } from "./rules/event.ts";
import { StoreUnavailable } from "./store/unavailable.ts";

/** Milliseconds between two reports of one cause. */
const REPORT_INTERVAL_MS = 60_000;

/** The objects that {@link limitStoreFaults} uses. */
export interface StoreFaultsOptions {
  readonly observer: Observer;
  readonly clock: Clock;
  /** False once the engine has stopped. A list that was in progress then ends with its store, which is no fault. */
  readonly isOpen: () => boolean;
}

/**
 * Passes on all events, but limits the faults of an unusable store to one a minute, wherever the engine
 * notices them.
 */
export function limitStoreFaults({ observer, clock, isOpen }: StoreFaultsOptions): Observer {
  let last: { readonly message: string; readonly at: number } | undefined;
  return (event) => {
    if (event.type === "fault" && event.error instanceof StoreUnavailable) {
      if (!isOpen()) return;
      const { message } = event.error;
      const now = clock.now();
      // The absolute difference also covers a clock that was set back.
      if (last?.message === message && Math.abs(now - last.at) < REPORT_INTERVAL_MS) return;
      last = { message, at: now };
    }
    observer(event);
  };
}
