import type { Duration } from "../util/duration.ts";
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

/** What is handed to the engine: it sends `body` to `url`, and reads its orders from `headers`. */
export interface Message {
  readonly url: string;
  /** POST by default. */
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** To be sent without telemetry, also where others have it. */
  readonly withoutTelemetry?: boolean;
}

/** Parts of a run that the engine's views show only as hashes. */
export interface Redact {
  readonly body?: true;
  /** All headers, or those of these names. */
  readonly header?: true | readonly string[];
}

/** How a run is to be delivered. The engine keeps it for all of the run's deliveries. */
export interface RunOptions {
  /** Sent with each of the run's deliveries. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Retries of each delivery, after the first attempt. Default: those beside the workflow, else the engine's, 3. */
  readonly retries?: number;
  /**
   * Before each retry: seconds, a duration, or an expression in milliseconds: `"1000 * pow(2, retried)"`.
   * Default: as beside the workflow, else the engine's.
   */
  readonly retryDelay?: RetryDelayOption;
  /** A limit that all runs and calls with the same key share. */
  readonly flowControl?: FlowControl;
  /** Seconds or a duration before the first delivery. */
  readonly delay?: number | Duration;
  /** Before this moment the first delivery isn't made: a Unix time in seconds, or a `Date`. Wins over `delay`. */
  readonly notBefore?: number | Date;
  /** Retries of the failure function. Default: those beside the workflow, else the run's. */
  readonly failureRetries?: number;
  /** As `retryDelay`, for the failure function. Default: as the run's. */
  readonly failureRetryDelay?: RetryDelayOption;
  /** Seconds or a duration after its start at which a run that hasn't ended has failed. Perdure's own engine only. */
  readonly timeout?: number | Duration;
  /** Names to find the run by: letters, digits, `-`, `_` and `.` */
  readonly label?: string | readonly string[];
  /** Where a failure of the run is sent; the workflow's own URL by default. */
  readonly failureUrl?: string;
  /** What the engine's views don't show. */
  readonly redact?: Redact;
}

const JSON_TYPE = "application/json";

interface StartRequest extends RunOptions {
  readonly url: string;
  readonly runId: string;
  readonly body: string | undefined;
  readonly contentType?: string | undefined;
  /** The engine has the run already: this configures it. */
  readonly configuresRun?: boolean;
  /** Runs between this one and the one that nobody invoked. */
  readonly invokeCount?: number;
  /** What this request is known by when it is sent again. */
  readonly triggerId?: string;
}

/**
 * Creates a run.
 *
 * @throws TypeError for an option that the engine could not obey
 */
export function startMessage(start: StartRequest): Message {
  // What holds for the run's deliveries and for the delivery of its failure alike.
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
      // A run that the engine has already has its failure callback, and perhaps at another URL than this.
      ...(start.configuresRun ? [] : failureCallback(start, shared)),
    ]),
  };
}

/** @throws TypeError for an option that an engine could not obey */
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

/** How often a run's deliveries are made again, and how many at once. */
function policyHeaders(options: RunOptions): HeaderList {
  return [...retryHeaders(options.retries, options.retryDelay), ...flowControlHeaders(options.flowControl)];
}

/** What is the run's own, and not its failure function's. */
function runOptionHeaders(options: RunOptions): HeaderList {
  return [
    [HEADER.label, joinLabels(options.label)],
    ...timeHeaders(options),
    [HEADER.redactFields, redactFields(options.redact)],
    // Only our own engine reads it.
    [HEADER.runTimeout, toLimit("timeout", options.timeout, true)],
  ];
}

/** What is its failure function's own. */
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

/** What is to be different in a run that goes on as another one. @throws TypeError as {@link startMessage} */
export function changedOptionHeaders(options: RunOptions): Record<string, string> {
  return definedHeaders([
    ...policyHeaders(options),
    ...runOptionHeaders(options),
    ...failureOptionHeaders(options),
  ]);
}

/** A run, and the invocation of it that asks. */
export interface RunRef {
  readonly url: string;
  readonly runId: string;
  readonly invokeCount: number;
  /** Its engine reads milliseconds, as our own does. Others count whole seconds. */
  readonly exact?: boolean;
}

/** Headers of every message that adds to a run. */
export function stepHeaders(run: RunRef): HeaderList {
  return [
    ...runIdHeaders(run),
    ...protocolHeaders(),
    [HEADER.contentType, JSON_TYPE],
    [forward(HEADER.invokeCount), run.invokeCount || undefined],
  ];
}

/** Appends a record to a run and asks for the delivery of it: at once, or as the schedule says. */
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

/** Says which run a message, or the callback that it names, belongs to. */
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
    // Sent back on each delivery, where it tells a run's deliveries from everything else.
    [forward(HEADER.sdkVersion), PROTOCOL_VERSION],
  ];
}

function redactFields(redact: Redact | undefined): string | undefined {
  const { body, header = [] } = redact ?? {};
  const headers = header === true ? "header" : header.map((name) => `header[${name}]`);
  return [body ? "body" : [], headers].flat().join(",") || undefined;
}
