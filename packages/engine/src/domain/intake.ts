import { HEADER, parseStep, recordKey, type StepRecord } from "@perdure/core/protocol";
import { toText } from "./bytes.ts";
import { type CallIntake, isCall, toCall } from "./call.ts";
import { checkDestination } from "./destination.ts";
import { checkRunId, failureCallbackOf, type IntakeRequest, requireRunId, toDraft } from "./draft.ts";
import { newRunId } from "./ids.ts";
import { type Invocation, isInvoke, readInvocation } from "./invoke.ts";
import type { Draft } from "./message.ts";
import { type OptionLimits, type Options, readOptions } from "./options.ts";
import { invalid, messageOf, Problem, unsupported } from "./problem.ts";
import { ALL_FEATURES, type RunConfig, type RunDraft } from "./run.ts";

/** One thing that the engine is asked to do, checked and ready to be stored. */
export type Intake = PlainIntake | StartIntake | AppendIntake | CallIntake;

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

const INIT = HEADER.init.toLowerCase();

/** True for a request that belongs to a live run: one fault in it is a fault of the whole batch. */
export function isOfLiveRun(headers: ReadonlyMap<string, string>): boolean {
  return isAppend(headers) || isInvoke(headers);
}

function isAppend(headers: ReadonlyMap<string, string>): boolean {
  return headers.get(INIT)?.toLowerCase() === "false";
}

/** @throws Problem 4xx that names the field */
export function toIntake(request: IntakeRequest, limits: OptionLimits): Intake {
  if (isCall(request.headers)) return toCall(request, limits);
  const url = checkDestination(request.destination, limits);
  const options = readOptions(request.headers, limits);
  refuseOtherCalls(request.headers);
  if (!request.headers.has(INIT)) {
    if (isInvoke(request.headers)) throw invalid(HEADER.invoke, `it needs ${HEADER.init} beside it`);
    if (options.failure && !options.failureUrl) {
      throw invalid(HEADER.failureCallback, "options for it were given, but no url");
    }
    return { kind: "message", message: toDraft("message", url, options, request) };
  }
  if (isAppend(request.headers)) return toAppend(url, options, request);
  const invocation = isInvoke(request.headers) ? readInvocation(request, options, limits) : undefined;
  return toStart(url, options, request, invocation);
}

/** As {@link toIntake}, for a client that knows nothing of runs: the endpoint will be asked to configure it. */
export function toTrigger(request: IntakeRequest, limits: OptionLimits): StartIntake {
  const url = checkDestination(request.destination, limits);
  const options = readOptions(request.headers, limits);
  refuseOtherCalls(request.headers);
  const id = request.headers.get(HEADER.runId.toLowerCase()) ?? newRunId();
  return toStartOf(checkRunId(id), url, options, request, true);
}

function toStart(
  url: string,
  options: Options,
  request: IntakeRequest,
  invocation: Invocation | undefined,
): StartIntake {
  const id = requireRunId(request.headers);
  const configures = request.headers.get(HEADER.triggerBySdk.toLowerCase())?.toLowerCase() === "true";
  const start = { ...toStartOf(id, url, options, request, false), configures };
  if (!invocation) return start;
  const { payload, invoker } = invocation;
  return { ...start, payload, run: { ...start.run, invoker } };
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
    flow: options.flow,
    features: features?.map((feature) => feature.trim()) ?? ALL_FEATURES,
  };
  const { now: createdAt, callerIp, body: payload } = request;
  const run: RunDraft = { id, url, createdAt, callerIp, config, announced, invoker: undefined };
  // The run holds the options for all its deliveries; this first one has no others.
  const message = { ...toDraft("step", url, options, request), forward: [] };
  return { kind: "start", run, payload, message, configures: false };
}

function toAppend(url: string, options: Options, request: IntakeRequest): AppendIntake {
  const runId = requireRunId(request.headers);
  let record: StepRecord;
  try {
    record = parseStep(toText(request.body));
  } catch (cause) {
    throw new Problem(400, `invalid step for workflow run ${runId}: ${messageOf(cause)}`, { cause });
  }
  const message = toDraft("step", url, options, request);
  return { kind: "append", runId, key: recordKey(record), record, body: request.body, message };
}

/** The answer to a call is the engine's to make, as is the report of a failure. */
function refuseOtherCalls(headers: ReadonlyMap<string, string>): void {
  const callType = headers.get(HEADER.callType.toLowerCase());
  if (callType !== undefined && callType !== "step") throw unsupported(`${HEADER.callType}: ${callType}`);
}
