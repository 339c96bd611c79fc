import { HEADER, parseStep, recordKey, type StepRecord } from "@perdure/core/protocol";
import { checkDestination } from "./destination.ts";
import { newMessageId, newRunId } from "./ids.ts";
import type { Draft, FailureCallback, Purpose } from "./message.ts";
import { type OptionLimits, type Options, readOptions } from "./options.ts";
import { invalid, messageOf, Problem, unsupported } from "./problem.ts";
import { ALL_FEATURES, type RunConfig, type RunDraft } from "./run.ts";

/** One thing that the engine is asked to do, checked and ready to be stored. */
export type Intake = PlainIntake | StartIntake | AppendIntake;

export interface PlainIntake {
  readonly kind: "message";
  readonly message: Draft;
}

/** Creates a run with its first entry, the payload. */
export interface StartIntake {
  readonly kind: "start";
  readonly run: RunDraft;
  readonly payload: Uint8Array;
  readonly message: Draft;
  /** The endpoint configures a run that was announced to it. */
  readonly configures: boolean;
}

/** Appends a record to a live run. */
export interface AppendIntake {
  readonly kind: "append";
  readonly runId: string;
  /** What no two records of a run share. */
  readonly key: string;
  readonly record: StepRecord;
  /** The record as it came. */
  readonly body: Uint8Array;
  readonly message: Draft;
}

/** A request to publish, wherever it came from. */
export interface IntakeRequest {
  readonly destination: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  readonly callerIp: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** True for a request that belongs to a live run: one fault in it is a fault of the whole batch. */
export function isAppend(headers: ReadonlyMap<string, string>): boolean {
  return headers.get(INIT)?.toLowerCase() === "false";
}

const INIT = HEADER.init.toLowerCase();

/** @throws Problem 4xx that names the field */
export function toIntake(request: IntakeRequest, limits: OptionLimits): Intake {
  const url = checkDestination(request.destination);
  const options = readOptions(request.headers, limits);
  refuseOtherCalls(request.headers);
  if (!request.headers.has(INIT)) {
    if (options.failure && !options.failureUrl) {
      throw invalid(HEADER.failureCallback, "options for it were given, but no url");
    }
    return { kind: "message", message: toDraft("message", url, options, request) };
  }
  return isAppend(request.headers) ? toAppend(url, options, request) : toStart(url, options, request);
}

/** As {@link toIntake}, for a client that knows nothing of runs: the endpoint will be asked to configure it. */
export function toTrigger(request: IntakeRequest, limits: OptionLimits): StartIntake {
  const url = checkDestination(request.destination);
  const options = readOptions(request.headers, limits);
  refuseOtherCalls(request.headers);
  const id = request.headers.get(HEADER.runId.toLowerCase()) ?? newRunId();
  return toStartOf(checkRunId(id), url, options, request, true);
}

function toStart(url: string, options: Options, request: IntakeRequest): StartIntake {
  const id = requireRunId(request.headers);
  const configures = request.headers.get(HEADER.triggerBySdk.toLowerCase())?.toLowerCase() === "true";
  return { ...toStartOf(id, url, options, request, false), configures };
}

function toStartOf(
  id: string,
  url: string,
  options: Options,
  request: IntakeRequest,
  announced: boolean,
): StartIntake {
  const features = request.headers.get(HEADER.featureSet.toLowerCase())?.split(",");
  const config: RunConfig = {
    forward: options.forward,
    contentType: options.contentType,
    retries: options.retries,
    retryDelay: options.retryDelay,
    timeout: options.timeout,
    failureCallback: failureCallbackOf(url, options),
    labels: options.labels,
    redact: options.redact,
    features: features?.map((feature) => feature.trim()) ?? ALL_FEATURES,
  };
  const run: RunDraft = {
    id,
    url,
    createdAt: request.now,
    callerIp: request.callerIp,
    config,
    announced,
  };
  // The run holds the options for all its deliveries; this first one has no others.
  const message = { ...toDraft("step", url, options, request), forward: [] };
  return { kind: "start", run, payload: request.body, message, configures: false };
}

function toAppend(url: string, options: Options, request: IntakeRequest): AppendIntake {
  const runId = requireRunId(request.headers);
  let record: StepRecord;
  try {
    record = parseStep(new TextDecoder().decode(request.body));
  } catch (cause) {
    throw new Problem(400, `invalid step for workflow run ${runId}: ${messageOf(cause)}`, { cause });
  }
  const message = toDraft("step", url, options, request);
  return { kind: "append", runId, key: recordKey(record), record, body: request.body, message };
}

function toDraft(purpose: Purpose, url: string, options: Options, request: IntakeRequest): Draft {
  const plain = purpose === "message";
  return {
    id: newMessageId(),
    purpose,
    url,
    method: plain ? (options.method ?? "POST") : "POST",
    forward: options.forward,
    contentType: options.contentType,
    body: plain && request.body.length > 0 ? request.body : undefined,
    retries: options.retries,
    retryDelay: options.retryDelay,
    timeout: options.timeout,
    notBefore: options.notBefore ?? request.now + (options.delay ?? 0),
    createdAt: request.now,
    callerIp: request.callerIp,
    labels: options.labels,
    redact: options.redact,
    failureCallback: plain ? failureCallbackOf(undefined, options) : undefined,
  };
}

function failureCallbackOf(fallback: string | undefined, options: Options): FailureCallback | undefined {
  const url = options.failureUrl ?? (options.failure ? fallback : undefined);
  return url === undefined ? undefined : { url, options: options.failure };
}

function requireRunId(headers: ReadonlyMap<string, string>): string {
  const id = headers.get(HEADER.runId.toLowerCase());
  if (id) return checkRunId(id);
  throw new Problem(400, `a request with ${HEADER.init} needs the header ${HEADER.runId}`);
}

function checkRunId(id: string): string {
  // It travels in headers and in paths.
  if (/^[\x21-\x7e]{1,512}$/.test(id)) return id;
  throw invalid(HEADER.runId, "expected up to 512 visible ASCII characters");
}

/** A call to a third party and its answer are other things than steps. */
function refuseOtherCalls(headers: ReadonlyMap<string, string>): void {
  const callType = headers.get(HEADER.callType.toLowerCase());
  if (callType !== undefined && callType !== "step") throw unsupported(`${HEADER.callType}: ${callType}`);
}
