import { invalid } from "./engine-error.ts";
import { type FlowLimit, MAX_PERIOD } from "./flow.ts";

/** A flow control key with its limits and its deliveries. */
export interface FlowControl {
  readonly key: string;
  /** `undefined` for any number. */
  readonly parallelism: number | undefined;
  readonly rate: number | undefined;
  /** The period, in milliseconds. */
  readonly period: number;
  /** True while no delivery of the key may begin. */
  readonly paused: boolean;
  /** True if messages don't change the parallelism. */
  readonly pinnedParallelism: boolean;
  /** True if messages change neither the rate nor its period. */
  readonly pinnedRate: boolean;
  /** The start of the current period, in milliseconds since 1970; 0 before the first. */
  readonly beganAt: number;
  /** Deliveries that have begun in the current period. */
  readonly begun: number;
  /** Deliveries in progress. */
  readonly active: number;
  /** Messages that are due, and wait for the key to admit them. */
  readonly waiting: number;
}

export type FlowChange =
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | ({ readonly kind: "pin" } & FlowPin)
  | { readonly kind: "unpin"; readonly parallelism: boolean; readonly rate: boolean }
  /** The state at the beginning of a new period. */
  | { readonly kind: "reset" };

/** Pins the given limits. A rate and its period are pinned together. */
export interface FlowPin {
  readonly parallelism: number | undefined;
  readonly rate: number | undefined;
  /** The period, in milliseconds. */
  readonly period: number | undefined;
}

type Limits = Pick<FlowControl, "parallelism" | "rate" | "period">;
type Pins = Pick<FlowControl, "pinnedParallelism" | "pinnedRate">;

/** The limits of a key after a message with limits of its own, which replace those that aren't pinned. */
export function mergeLimits(old: Limits & Pins, next: FlowLimit): Limits {
  const { rate, period } = old.pinnedRate ? old : next;
  return { parallelism: old.pinnedParallelism ? old.parallelism : next.parallelism, rate, period };
}

/** The limits after a pin. */
export function pinLimits(old: Limits & Pins, { parallelism, rate, period }: FlowPin): Limits & Pins {
  const ofRate = rate !== undefined || period !== undefined;
  return {
    parallelism: parallelism ?? old.parallelism,
    rate: rate ?? old.rate,
    period: period ?? old.period,
    pinnedParallelism: old.pinnedParallelism || parallelism !== undefined,
    pinnedRate: old.pinnedRate || ofRate,
  };
}

/** The number of deliveries that have begun in the current period. */
export function begunAt(
  { beganAt, begun, period }: Pick<FlowControl, "beganAt" | "begun" | "period">,
  now: number,
): number {
  return now >= beganAt + period ? 0 : begun;
}

/**
 * @param asked the limits to pin; the period in seconds
 * @throws EngineError `invalid_request` that names the parameter
 */
export function toPin({ parallelism, rate, period: seconds }: FlowPin): FlowPin {
  if (parallelism === undefined && rate === undefined && seconds === undefined) {
    throw invalid("parameters", "expected a parallelism, a rate or a period to pin");
  }
  const period = seconds === undefined ? undefined : seconds * 1000;
  if (period === undefined || period <= MAX_PERIOD) return { parallelism, rate, period };
  throw invalid("parameter period", `expected up to ${MAX_PERIOD / 1000} seconds (7 days), got "${seconds}"`);
}
