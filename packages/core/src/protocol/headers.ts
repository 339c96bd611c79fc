import * as PREFIX from "./header-prefixes.ts";

/** The version of the workflow protocol that this package speaks. */
export const PROTOCOL_VERSION = "1";

/** Go's canonical spelling of `HEADER.runId`: within a body, where spelling counts, engines may look for this one. */
export const CANONICAL_RUN_ID = "Upstash-Workflow-Runid";

/** The end of `HEADER.maxRetries` on a delivery whose number of retries is the engine's default. */
export const RETRIES_BY_DEFAULT = "; default";

/** What a workflow's messages ask of the engine, joined by commas in `HEADER.featureSet`. */
export const FEATURES = "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig";

/** What a message to a third party asks for: its failure is a result, and not the end of the run. */
export const CALL_FEATURES = "WF_NoDelete,InitialBody";

/** The name under which the engine hands `name` on to the endpoint. */
export function forward(name: string): string {
  return PREFIX.forward + name;
}

/** The name under which an `Upstash-*` option applies to the callback instead of to the message. */
export function forCallback(option: string): string {
  return PREFIX.callback + option.slice(PREFIX.own.length);
}

/** The name under which an `Upstash-*` option applies to the failure callback instead of to the message. */
export function forFailureCallback(option: string): string {
  return PREFIX.failureCallback + option.slice(PREFIX.own.length);
}
