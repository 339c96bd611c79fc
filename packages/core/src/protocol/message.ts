import type { Duration } from "../util/duration.ts";
import { checkOptions } from "../util/options.ts";
import { checkUrl } from "../util/url.ts";
import * as HEADER from "./header-names.ts";
import { FEATURES, forFailureCallback, forward, PROTOCOL_VERSION } from "./headers.ts";
import {
  contentTypeOf,
  definedHeaders,
  type FlowControl,
  flowControlHeaders,
  forwardedHeaders,
  type HeaderList,
  ifDefined,
  joinLabels,
  renameHeaders,
  retryHeaders,
  timeHeaders,
  toLimit,
} from "./options.ts";
import type { RetryDelayOption } from "./retry-delay.ts";
import type { StepRecord } from "./step.ts";

/** A message for the engine, which sends `body` to `url`; `headers` contain the delivery options. */
export interface Message {
  readonly url: string;
  /** POST by default. */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Sends the message without telemetry. */
  readonly withoutTelemetry?: boolean;
}

/** Parts of a run that the engine's API shows only as hashes. */
export interface Redact {
  readonly body?: true;
  /** All headers, or the headers with these names. */
  readonly header?: true | readonly string[];
}

/** Delivery options of a run. The engine applies them to all of the run's deliveries. */
export interface RunOptions {
  /** Sent with each of the run's deliveries. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Retries of each delivery, after the first attempt. Default: the endpoint's option, else the engine's, 3. */
  readonly retries?: number;
  /**
   * The wait before each retry: seconds, a duration, or an expression in milliseconds: `"1000 * pow(2, retried)"`.
   * Default: the endpoint's option, else the engine's.
   */
  readonly retryDelay?: RetryDelayOption;
  /** A limit that all runs and calls with the same key share. */
  readonly flowControl?: FlowControl;
  /** The wait before the first delivery: seconds or a duration. */
  readonly delay?: number | Duration;
  /** The earliest time of the first delivery: a Unix time in seconds, or a `Date`. Wins over `delay`. */
  readonly notBefore?: number | Date;
  /** Retries of the failure function. Default: the endpoint's option, else the run's. */
  readonly failureRetries?: number;
  /** Like `retryDelay`, for the failure function. Default: the run's. */
  readonly failureRetryDelay?: RetryDelayOption;
  /** Seconds or a duration from the run's start; the engine fails a run that lasts longer. Perdure's own engine only. */
  readonly timeout?: number | Duration;
  /** One or several labels, which select runs in logs: letters, digits, `-`, `_` and `.` */
  readonly label?: string | readonly string[];
  /** URL that receives a failure of the run. Default: the workflow's own URL. */
  readonly failureUrl?: string;
  /** Parts of the run that the engine's API hides. */
  readonly redact?: Redact;
}

const JSON_TYPE = "application/json";

interface StartRequest extends RunOptions {
  readonly url: string;
  readonly runId: string;
  readonly body: string | undefined;
  readonly contentType?: string | undefined;
  /** True when the engine has already created the run, and the message configures it. */
  readonly configuresRun?: boolean;
  /** The depth of the run in a tree of invoked runs: 0 for a run that no other run invokes. */
  readonly invokeCount?: number;
  /** Identifies the request when the client sends it again. */
  readonly triggerId?: string;
}

/**
 * Creates the message that starts a run.
 *
 * @throws TypeError for an invalid option
 * @example
 * ```ts
 * const { url, headers, body } = startMessage({
 *   url: "https://app.example.com/order",
 *   runId: "wfr_order-7",
 *   body: '{"id":7}',
 *   retries: 5,
 * });
 * ```
 */
export function startMessage(start: StartRequest): Message {
  // Options of the run's deliveries and of the delivery of its failure.
  const shared: HeaderList = [
    ...policyHeaders(start),
    ...forwardedHeaders(start.headers),
    [forward(HEADER.label), joinLabels(start.label)],
    [forward(HEADER.invokeCount), start.invokeCount || undefined],
  ];
  return {
    url: start.url,
    body: start.body,
    headers: definedHeaders([
      ...runIdHeaders(start, true),
      ...protocolHeaders(),
      [HEADER.contentType, start.contentType ?? contentTypeOf(start.headers) ?? JSON_TYPE],
      [HEADER.triggerBySdk, start.configuresRun || undefined],
      [HEADER.triggerId, start.triggerId],
      ...runOptionHeaders(start),
      ...shared,
      // The client that created the run has set its failure callback, perhaps to another URL.
      ...(start.configuresRun ? [] : failureCallback(start, shared)),
    ]),
  };
}

/** @throws TypeError for an invalid option */
export function checkRunOptions(options: RunOptions): void {
  startMessage({ ...options, url: "", runId: "", body: undefined });
}

function failureCallback(start: StartRequest, shared: HeaderList): HeaderList {
  const options: HeaderList = [
    ...runIdHeaders(start),
    [HEADER.callType, "failureCall"],
    [forward(HEADER.isFailure), true],
    [forward(HEADER.isFailureCallback), true],
    ...shared,
  ];
  return [
    [HEADER.failureCallback, start.url],
    ...renameHeaders(options, forFailureCallback),
    ...failureOptionHeaders(start),
  ];
}

/** Retries and flow control of a run's deliveries. */
function policyHeaders(options: RunOptions): HeaderList {
  return [...retryHeaders(options.retries, options.retryDelay), ...flowControlHeaders(options.flowControl)];
}

/** Options of the run that don't apply to its failure function. */
function runOptionHeaders(options: RunOptions): HeaderList {
  return [
    [HEADER.label, joinLabels(options.label)],
    ...timeHeaders(options),
    [HEADER.redactFields, redactFields(options.redact)],
    // Only Perdure's own engine reads it.
    [HEADER.runTimeout, toLimit("timeout", options.timeout, true)],
  ];
}

/** Options of the failure function only. */
function failureOptionHeaders(options: RunOptions): HeaderList {
  const own = retryHeaders(options.failureRetries, options.failureRetryDelay, failureName);
  const given = Object.keys(definedHeaders(own)).join(", ");
  return [
    [HEADER.failureCallback, ifDefined(options.failureUrl, (url) => checkUrl("failureUrl", url))],
    ...renameHeaders(own, forFailureCallback),
    [HEADER.failureOptions, given || undefined],
  ];
}

const failureName = (option: "retries" | "retryDelay") =>
  option === "retries" ? "failureRetries" : "failureRetryDelay";

/**
 * Headers with the options that change when a run is retried.
 *
 * @throws TypeError as {@link startMessage}
 * @example
 * ```ts
 * changedOptionHeaders({ retries: 5 }); // { "Upstash-Retries": "5" }
 * ```
 */
export function changedOptionHeaders(options: RunOptions): Record<string, string> {
  return definedHeaders([
    ...policyHeaders(options),
    ...runOptionHeaders(options),
    ...failureOptionHeaders(options),
  ]);
}

/** A run, as the messages that add to it name it. */
export interface RunRef {
  readonly url: string;
  readonly runId: string;
  readonly invokeCount: number;
  /** True for Perdure's own engine, which reads milliseconds. Others count whole seconds. */
  readonly exact?: boolean;
}

/** Headers of each message that adds to a run. */
export function stepHeaders(run: RunRef): HeaderList {
  return [
    ...runIdHeaders(run),
    ...protocolHeaders(),
    [HEADER.contentType, JSON_TYPE],
    [forward(HEADER.invokeCount), run.invokeCount || undefined],
  ];
}

/**
 * Creates the message that appends a record to a run. The engine delivers the record at once, or at the time of the schedule.
 *
 * @example
 * ```ts
 * const run = { url: "https://app.example.com/order", runId: "wfr_order-7", invokeCount: 0 };
 * const record = { stepId: 1, stepName: "charge", stepType: "Run", out: "42", concurrent: 1 } as const;
 * const message = stepMessage(run, record);
 * ```
 */
export function stepMessage(
  run: RunRef,
  record: StepRecord,
  schedule: Parameters<typeof timeHeaders>[0] = {},
): Message {
  return {
    url: run.url,
    body: JSON.stringify(record),
    headers: definedHeaders([...stepHeaders(run), ...timeHeaders(schedule, run.exact)]),
  };
}

/** Headers with the run that a message, or its callback, belongs to. */
export function runIdHeaders(
  run: { readonly url: string; readonly runId: string },
  init = false,
): HeaderList {
  return [
    [HEADER.init, init],
    [HEADER.runId, run.runId],
    [HEADER.workflowUrl, run.url],
    [HEADER.featureSet, FEATURES],
  ];
}

function protocolHeaders(): HeaderList {
  return [
    [HEADER.sdkVersion, PROTOCOL_VERSION],
    // The engine forwards it with each delivery: it distinguishes a run's deliveries from all other requests.
    [forward(HEADER.sdkVersion), PROTOCOL_VERSION],
  ];
}

/** The parts that logs hide, as a header lists them. */
export function redactFields(redact: Redact = {}): string | undefined {
  checkOptions("redact", redact, "body header");
  const { body, header = [] } = redact;
  const headers = header === true ? "header" : header.map((name) => `header[${name}]`);
  return [body ? "body" : [], headers].flat().join(",") || undefined;
}
