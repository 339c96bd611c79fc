import {
  FEATURES,
  isMessageRunId,
  LOWERCASE_HEADER,
  PROTOCOL_VERSION,
  type StepRecord,
} from "@perdure/core/protocol";
import { type DeliveryPolicy, NO_POLICY, overlay } from "./delivery-policy.ts";
import { type HeaderList, overrideHeaders } from "./header.ts";
import { type Callback, DEFAULT_RETRIES, type NewMessage } from "./message.ts";
import type { Options } from "./options.ts";
import { retryPolicy } from "./policy.ts";
import { overrideOptions } from "./republish.ts";
import type { InProgress } from "./run-lease.ts";

export type RunState = "RUN_STARTED" | "RUN_SUCCESS" | "RUN_FAILED" | "RUN_CANCELED";

/**
 * The options of all of a run's deliveries, as its trigger gave them. A call has a flow control key of its
 * own.
 */
export interface RunConfig extends DeliveryPolicy {
  readonly forward: HeaderList;
  readonly contentType: string | undefined;
  readonly failureCallback: Callback | undefined;
  readonly features: readonly string[];
  /** Milliseconds after its start at which a run that hasn't ended has failed. */
  readonly lifetime: number | undefined;
  /** Identifies the request that started the run when a client sends it again. */
  readonly triggerId?: string | undefined;
}

/** A new run, as the engine accepts it. */
export interface NewRun {
  readonly id: string;
  readonly url: string;
  readonly createdAt: number;
  readonly callerIp: string;
  readonly config: RunConfig;
  /**
   * True for a run of a client that doesn't know the endpoint's protocol: the endpoint has yet to configure
   * it.
   */
  readonly awaitingConfiguration: boolean;
  /** The run that waits for the end of this run. */
  readonly invoker: Invoker | undefined;
}

/** A run that waits for the end of a run that it has invoked, with the record of that end. */
export interface Invoker {
  readonly runId: string;
  /** Milliseconds since 1970; 0 when the request doesn't name it. */
  readonly createdAt: number;
  readonly url: string;
  /** The record's key, unique within its run. */
  readonly key: string;
  readonly step: StepRecord;
  /** Delivers the record. */
  readonly message: NewMessage;
}

/** A run. An earlier run that has ended may have had the same id; `key` is unique. */
export interface Run extends NewRun {
  readonly key: number;
  readonly state: RunState;
  readonly completedAt: number | undefined;
  /** The workflow's result, as the endpoint sent it. */
  readonly response: string | undefined;
  readonly dlqId: string | undefined;
  /**
   * The endpoint's `Perdure-Capabilities`; `undefined` until it sends them, and for endpoints of other SDKs.
   */
  readonly capabilities: string | undefined;
  /**
   * True once its endpoint has sent the header of the workflow protocol: answers without it come from an
   * intermediary.
   */
  readonly identified: boolean;
  /** The id of the first failed run in the chain of resumed runs that ends with this run. */
  readonly origin: string | undefined;
  /**
   * True if its endpoint runs many steps in one delivery. Then at most one delivery of the run is in
   * progress.
   */
  readonly inline: boolean;
  /** The number of deliveries that have offered the right to append: the number of the last lease. */
  readonly leaseNumber: number;
  /** The key of the message that has the right to append, while it is delivered. */
  readonly holder: number | undefined;
  /** The invocation that appends under the last lease, once one has. */
  readonly invocation: string | undefined;
  /** Steps that may have begun and have no record; undefined once an invocation has said how it ended. */
  readonly inProgress: InProgress | undefined;
}

/**
 * The features of today's clients. Older clients name fewer, or none, and have only the ones that they name.
 */
export const ALL_FEATURES: readonly string[] = FEATURES.split(",");

export function isLive(run: Pick<Run, "state">): boolean {
  return run.state === "RUN_STARTED";
}

/**
 * Perdure's runtime names a run after the message that has started it. When the engine delivers that message
 * again because the answer got lost, the request means the same run, even if the run has ended meanwhile.
 */
export function isNamedAfterMessage({ id, invoker }: NewRun): boolean {
  return !invoker && isMessageRunId(id);
}

/**
 * A client that didn't get the engine's answer sends its request again: the run that it started may have
 * ended meanwhile.
 */
export function isSameTrigger(known: RunConfig, asked: RunConfig): boolean {
  return asked.triggerId !== undefined && asked.triggerId === known.triggerId;
}

/** The delivery of an entry takes from the run every option that its own request doesn't set. */
export function inherit(
  newRun: NewMessage,
  run: Pick<Run, "config" | "capabilities">,
): NewMessage & { readonly retries: number } {
  const policy = overlay({ ...run.config, ...retryPolicy(run, newRun.kind) }, newRun);
  return { ...newRun, ...policy, retries: policy.retries ?? DEFAULT_RETRIES };
}

/**
 * The configuration of a run that awaits its endpoint's. An option that the endpoint sets wins, and the
 * trigger's option stays otherwise: endpoints repeat the headers that they got, but not the options.
 */
export function reconfigure(old: RunConfig, next: RunConfig): RunConfig {
  return {
    forward: overrideHeaders(old.forward, next.forward),
    contentType: next.contentType ?? old.contentType,
    ...overlay(old, next),
    failureCallback: next.failureCallback ?? old.failureCallback,
    features: next.features,
    lifetime: next.lifetime ?? old.lifetime,
    triggerId: old.triggerId,
  };
}

/**
 * The configuration of a resumed or restarted run: the options of the failed run, with the changes of the
 * request.
 *
 * @param lifetime as {@link RunConfig.lifetime}
 */
export function override(
  { url, config: old }: Run,
  options: Options,
  lifetime: number | undefined,
): RunConfig {
  const { failureUrl, failure } = options;
  const { failureCallback } = old;
  return {
    ...old,
    forward: overrideHeaders(old.forward, options.forward),
    lifetime: lifetime ?? old.lifetime,
    ...overlay(old, options),
    failureCallback:
      failureUrl === undefined && !failure
        ? failureCallback
        : {
            url: failureUrl ?? failureCallback?.url ?? url,
            options: overrideOptions(failureCallback?.options, failure),
          },
  };
}

/** A delivery to a run's endpoint, with the options of the run. */
export function deliveryOf(
  run: Run,
  kind: "step" | "answer",
  now: number,
): Omit<NewMessage, "id" | "notBefore"> {
  return {
    kind,
    url: run.url,
    urlGroup: undefined,
    method: "POST",
    forward: [[LOWERCASE_HEADER.sdkVersion, PROTOCOL_VERSION]],
    contentType: "application/json",
    body: undefined,
    ...NO_POLICY,
    createdAt: now,
    callerIp: run.callerIp,
    failureCallback: undefined,
    callback: undefined,
  };
}

/**
 * The URL to which the engine reports the run's failure: the trigger's, else the workflow's own.
 *
 * @returns undefined for a client that names neither a URL nor any feature: it may be older than failure
 * functions, and would take the report for the payload of a new run
 */
export function failureCallbackOf({ url, config }: NewRun): Callback | undefined {
  if (config.failureCallback) return config.failureCallback;
  return config.features.length > 0 ? { url, options: undefined } : undefined;
}

/**
 * `LazyFetch`: the endpoint fetches a history that is too large to be sent. `InitialBody`: the report of a
 * failure carries the payload, and not the history. `WF_DetectTrigger`: the endpoint names its SDK in its
 * answers, so an answer without the name is not a workflow's.
 */
type Feature = "LazyFetch" | "InitialBody" | "WF_DetectTrigger";

export function hasFeature(config: RunConfig, feature: Feature): boolean {
  return config.features.includes(feature);
}

/**
 * Headers of a run's deliveries that only the engine may set: a forwarded copy would pass one kind off as
 * another.
 */
export const RESERVED: ReadonlySet<string> = new Set([
  LOWERCASE_HEADER.runId,
  LOWERCASE_HEADER.init,
  LOWERCASE_HEADER.workflowUrl,
  LOWERCASE_HEADER.createdAt,
  LOWERCASE_HEADER.callType,
  LOWERCASE_HEADER.unknownSdk,
  LOWERCASE_HEADER.triggerBySdk,
  LOWERCASE_HEADER.isFailure,
  LOWERCASE_HEADER.isFailureCallback,
]);

/** The end of a run by request. */
export interface RunEnd {
  readonly state: Extract<RunState, "RUN_SUCCESS" | "RUN_CANCELED">;
  /** The workflow's result, as the endpoint sent it. */
  readonly response: string | undefined;
}

/** The outcome of a request to end a run: it ended now, or had ended before. */
export type EndedRun = "ended" | "ended before";
