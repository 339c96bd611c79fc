import type { FlowLimit } from "./flow.ts";

/**
 * The delivery options that a message, a run, a report and a schedule have in common. Every type that carries
 * them extends this type, and every place that combines two policies calls {@link overlay}.
 */
export interface DeliveryPolicy {
  /** Attempts after the first. */
  readonly retries: number | undefined;
  /** An expression that {@link parseExpression} accepts: milliseconds before the next attempt. */
  readonly retryDelay: string | undefined;
  /** Milliseconds for one attempt. */
  readonly timeout: number | undefined;
  /** The flow control key that the deliveries share with others. */
  readonly flow: FlowLimit | undefined;
  /** An empty list leaves the option unset. */
  readonly labels: readonly string[];
  /** The parts that lists and logs show only as hashes. */
  readonly redact: Redaction | undefined;
}

/** The parts of a message that lists and logs show only as hashes. */
export interface Redaction {
  readonly body: boolean;
  /** All headers, or the headers of these names, in lower case. */
  readonly headers: true | readonly string[];
}

/** A policy that sets no option. */
export const NO_POLICY: DeliveryPolicy = {
  retries: undefined,
  retryDelay: undefined,
  timeout: undefined,
  flow: undefined,
  labels: [],
  redact: undefined,
};

/**
 * Puts one policy over another: each option that `over` sets wins, and the rest comes from `base`.
 *
 * @example
 * overlay(run.config, { ...NO_POLICY, retries: 5 }); // the run's options, with 5 retries
 */
export function overlay(base: DeliveryPolicy, over: DeliveryPolicy): DeliveryPolicy {
  return {
    retries: over.retries ?? base.retries,
    retryDelay: over.retryDelay ?? base.retryDelay,
    timeout: over.timeout ?? base.timeout,
    flow: over.flow ?? base.flow,
    labels: over.labels.length > 0 ? over.labels : base.labels,
    redact: over.redact ?? base.redact,
  };
}

/** The policy of something that also has other fields. */
export function policyOf(source: DeliveryPolicy): DeliveryPolicy {
  return overlay(NO_POLICY, source);
}
