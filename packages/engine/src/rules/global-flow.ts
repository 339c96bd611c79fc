import type { FlowControl } from "./flow-control.ts";
import { toName } from "./name.ts";

/** Under this key those are shown that have none, and wait for room. No message can have it. */
export const GLOBAL_KEY = "$";

/**
 * A key that can be looked at.
 *
 * @throws EngineError `invalid_request` that names the field
 */
export function toShownKey(text: string, field: string): string {
  return text === GLOBAL_KEY ? text : toName(text, field);
}

/** All deliveries together, as of a key whose only limit is the parallelism of everything. */
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
