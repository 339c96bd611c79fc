import { HEADER, PREFIX, parseDuration, recordKey, type StepRecord } from "@perdure/core/protocol";
import { toText } from "./bytes.ts";
import { type CallIntake, isCall, toCall } from "./call.ts";
import { type Deduplication, deduplicationOf } from "./deduplication.ts";
import { policyOf } from "./delivery-policy.ts";
import { checkDestination } from "./destination.ts";
import { checkRunId, failureCallbackOf, type IntakeRequest, requireRunId, toDraft } from "./draft.ts";
import { newRunId } from "./ids.ts";
import { type Invocation, isInvoke, readInvocation } from "./invoke.ts";
import { checkLimits, refusePlainOptions } from "./limits.ts";
import type { Draft } from "./message.ts";
import { type OptionLimits, type Options, readOptions } from "./options.ts";
import { invalid, messageOf, Problem, unsupported } from "./problem.ts";
import { readRecord } from "./record.ts";
import { ALL_FEATURES, type RunConfig, type RunDraft } from "./run.ts";
import { type Topic, toEndpoint } from "./topic.ts";

/** One thing that the engine is asked to do, checked and ready to be stored. */
export type Intake = PlainIntake | StartIntake | AppendIntake | CallIntake;

export interface PlainIntake {
  readonly kind: "message";
  readonly message: Draft;
  /** One that was accepted before stands for it. */
  readonly deduplication: Deduplication | undefined;
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

const OF_CALLS = `${PREFIX.callback}${PREFIX.workflow.slice(PREFIX.own.length)}`.toLowerCase();
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
  if (!request.headers.has(INIT)) return toPlain(request, limits, undefined);
  const url = checkDestination(request.destination, limits);
  const options = readRunOptions(request, limits);
  if (isAppend(request.headers)) return toAppend(url, options, request);
  const invocation = isInvoke(request.headers) ? readInvocation(request, options, limits) : undefined;
  return toStart(url, options, request, invocation);
}

/**
 * The messages that a request to a URL group asks for: one for each endpoint, in their order.
 *
 * @throws Problem 4xx that names the field
 */
export function toFanOut(request: IntakeRequest, topic: Topic, limits: OptionLimits): PlainIntake[] {
  return topic.endpoints.map((endpoint) => {
    const own = toEndpoint(request, topic, endpoint);
    for (const name of [HEADER.init, HEADER.callType]) {
      if (!own.headers.has(name.toLowerCase())) continue;
      throw invalid(name, `a run has one endpoint, and ${topic.name} is a url group`);
    }
    return toPlain(own, limits, { name: topic.name, endpoint: endpoint.name });
  });
}

function toPlain(request: IntakeRequest, limits: OptionLimits, topic: Draft["topic"]): PlainIntake {
  const { headers, body } = request;
  const url = checkDestination(request.destination, limits);
  const options = readOptions(headers, limits);
  refuseOtherCalls(headers);
  if (isInvoke(headers)) throw invalid(HEADER.invoke, `it needs ${HEADER.init} beside it`);
  const message = { ...toDraft("message", url, options, request), topic };
  checkLimits(options, request, limits);
  return { kind: "message", message, deduplication: deduplicationOf(message, options, body, limits) };
}

/** As {@link toIntake}, for a client that knows nothing of runs: the endpoint will be asked to configure it. */
export function toTrigger(request: IntakeRequest, limits: OptionLimits): StartIntake {
  const url = checkDestination(request.destination, limits);
  const options = readRunOptions(request, limits);
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
    ...policyOf(options),
    failureCallback: failureCallbackOf(url, withoutRepeated(options, request.headers)),
    // A client that starts a run over the REST route says nothing of the endpoint's features: the endpoint will.
    features: features?.map((feature) => feature.trim()) ?? (announced ? ALL_FEATURES : []),
    lifetime: lifetimeOf(request.headers),
    triggerId: triggerIdOf(request.headers),
  };
  const { now: createdAt, callerIp, body: payload } = request;
  const run: RunDraft = { id, url, createdAt, callerIp, config, announced, invoker: undefined };
  // The run holds the options for all its deliveries; this first one has no others.
  const message = { ...toDraft("step", url, options, request), forward: [] };
  return { kind: "start", run, payload, message, configures: false };
}

/**
 * Clients repeat a run's retries as those of its failure function. What only repeats them isn't a choice, and yields to the
 * policy beside the workflow.
 */
function withoutRepeated(options: Options, headers: ReadonlyMap<string, string>): Options {
  const { failure } = options;
  if (!failure) return options;
  const chosen = headers.get(HEADER.failureOptions.toLowerCase())?.split(/, */) ?? [];
  const kept = <Name extends "retries" | "retryDelay">(
    name: Name,
    header: string,
  ): Options[Name] | undefined =>
    failure[name] === options[name] && !chosen.includes(header) ? undefined : failure[name];
  return {
    ...options,
    failure: {
      ...failure,
      retries: kept("retries", HEADER.retries),
      retryDelay: kept("retryDelay", HEADER.retryDelay),
    },
  };
}

/** How long a run may take, in milliseconds. @throws Problem 400 */
export function lifetimeOf(headers: ReadonlyMap<string, string>): number | undefined {
  const text = headers.get(HEADER.runTimeout.toLowerCase());
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw invalid(HEADER.runTimeout, `expected a duration such as "30s", "5m" or "1d12h", got "${text}"`);
}

function triggerIdOf(headers: ReadonlyMap<string, string>): string | undefined {
  const id = headers.get(HEADER.triggerId.toLowerCase());
  if (id === undefined || /^[\w-]{1,64}$/.test(id)) return id;
  throw invalid(HEADER.triggerId, `expected up to 64 letters, digits, "-" and "_", got "${id}"`);
}

function toAppend(url: string, options: Options, request: IntakeRequest): AppendIntake {
  const runId = requireRunId(request.headers);
  let record: StepRecord;
  try {
    record = readRecord(toText(request.body));
  } catch (cause) {
    throw new Problem(400, `invalid step for workflow run ${runId}: ${messageOf(cause)}`, { cause });
  }
  // Older clients say with each step where its failure is reported; today's say it once, with the trigger.
  const failureCallback = failureCallbackOf(url, options);
  const message = { ...toDraft("step", url, options, request), failureCallback };
  return { kind: "append", runId, key: recordKey(record), record, body: request.body, message };
}

/** The options of something that belongs to a run. */
function readRunOptions(request: IntakeRequest, limits: OptionLimits): Options {
  const { headers } = request;
  const options = readOptions(headers, limits);
  refuseOtherCalls(headers);
  refusePlainOptions(options);
  checkLimits(options, request, limits);
  return options;
}

/** The answer to a call is the engine's to make, as is the report of a failure. */
function refuseOtherCalls(headers: ReadonlyMap<string, string>): void {
  const callType = headers.get(HEADER.callType.toLowerCase());
  if (callType !== undefined && callType !== "step") throw unsupported(`${HEADER.callType}: ${callType}`);
  // Only the answer to a call belongs to a run.
  const name = [...headers.keys()].find((one) => one.startsWith(OF_CALLS));
  if (name !== undefined) throw unsupported(name);
}
