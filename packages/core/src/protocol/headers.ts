import * as PREFIX from "./header-prefixes.ts";

/** The version of the workflow protocol that this package speaks. */
export const PROTOCOL_VERSION = "1";

/** Go's canonical spelling of `HEADER.runId`. Engines may look for it within a body, where case matters. */
export const CANONICAL_RUN_ID = "Upstash-Workflow-Runid";

/** The end of `HEADER.maxRetries` on a delivery whose number of retries is the engine's default. */
export const RETRIES_BY_DEFAULT = "; default";

/** The engine's features that a workflow's messages use: the value of `HEADER.featureSet`. */
export const FEATURES = "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig";

/** Names the person who acts by a request of the dashboard or of a command, percent-encoded, for the engine's audit log. */
export const PERSON_HEADER = "Perdure-Person";

/** The features for a message to a third party: its failure is a result, not the end of the run. */
export const CALL_FEATURES = "WF_NoDelete,InitialBody";

/**
 * Returns the header name under which a message asks the engine to forward the header `name` to the endpoint.
 *
 * @example
 * ```ts
 * forward("X-Tenant"); // "Upstash-Forward-X-Tenant"
 * ```
 */
export function forward(name: string): string {
  return PREFIX.forward + name;
}

/**
 * Returns the name under which an `Upstash-*` option applies to the message's callback.
 *
 * @example
 * ```ts
 * forCallback(HEADER.retries); // "Upstash-Callback-Retries"
 * ```
 */
export function forCallback(option: string): string {
  return PREFIX.callback + option.slice(PREFIX.own.length);
}

/**
 * Returns the name under which an `Upstash-*` option applies to the message's failure callback.
 *
 * @example
 * ```ts
 * forFailureCallback(HEADER.retries); // "Upstash-Failure-Callback-Retries"
 * ```
 */
export function forFailureCallback(option: string): string {
  return PREFIX.failureCallback + option.slice(PREFIX.own.length);
}
