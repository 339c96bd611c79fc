import type { FlowControl } from "./flow-control.ts";
import { toName } from "./name.ts";

/**
 * The key under which lists show the deliveries that have no key of their own, but wait for a free slot. No
 * message can have it.
 */
export const GLOBAL_KEY = "$";

/**
 * Reads a key that a client may look up.
 *
 * @throws EngineError `invalid_request` that names the field
 */
export function toShownKey(text: string, field: string): string {
  return text === GLOBAL_KEY ? text : toName(text, field);
}

/** All deliveries together, as a key whose only limit is the parallelism of the whole engine. */
export function globalFlow(
  { max, count }: { readonly max: number; readonly count: number },
  waiting: number,
): FlowControl {
  return {
    key: GLOBAL_KEY,
    parallelism: max,
    active: count,
    waiting,
    rate: undefined,
    period: 0,
    paused: false,
    pinnedParallelism: false,
    pinnedRate: false,
    beganAt: 0,
    begun: 0,
  };
}
