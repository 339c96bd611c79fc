import {
  HEADER,
  LOWERCASE_HEADER,
  PREFIX,
  parseDuration,
  recordKey,
  type StepRecord,
  toRunId,
} from "@perdure/core/protocol";
import { toText } from "./bytes.ts";
import { isCall, parseCall, type StartCall } from "./call.ts";
import { type Deduplication, deduplicationOf } from "./deduplication.ts";
import { policyOf } from "./delivery-policy.ts";
import { checkDestination } from "./destination.ts";
import { EngineError, invalid, unsupported } from "./engine-error.ts";
import { type Invocation, isInvoke, readInvocation } from "./invoke.ts";
import { checkLimits, refusePlainOptions } from "./limits.ts";
import type { NewMessage } from "./message.ts";
import {
  checkRunId,
  failureCallbackOf,
  type PublishRequest,
  requireRunId,
  toNewMessage,
} from "./new-message.ts";
import { type OptionLimits, type Options, readOptions } from "./options.ts";
import { readRecord, toRecord } from "./record.ts";
import { ALL_FEATURES, type NewRun, type RunConfig } from "./run.ts";
import { messageOf } from "./thrown.ts";
import { toEndpoint, type UrlGroup } from "./url-group.ts";

/** A checked request to store one message, run, record or call. */
export type Command = PublishMessage | StartRun | AppendStep | StartCall;

export interface PublishMessage {
  readonly kind: "message";
  readonly message: NewMessage;
  /** The key of an earlier message that may stand for this one. */
  readonly deduplication: Deduplication | undefined;
}

/** Creates a run with its first entry, the payload. */
export interface StartRun {
  readonly kind: "start";
  readonly run: NewRun;
  readonly payload: Uint8Array;
  readonly message: NewMessage;
  /** The endpoint configures a run that awaits its configuration. */
  readonly configuresRun: boolean;
}

/** Appends a record to a live run. */
export interface AppendStep {
  readonly kind: "append";
  readonly runId: string;
  /** The record's key, unique within its run. */
  readonly key: string;
  readonly record: StepRecord;
  /** The record as the endpoint sent it. */
  readonly body: Uint8Array;
  readonly message: NewMessage;
}

const CALL_CALLBACK_PREFIX = `${PREFIX.callback}${PREFIX.workflow.slice(PREFIX.own.length)}`.toLowerCase();
const INIT = LOWERCASE_HEADER.init;

/** Bytes of a malformed record that the error shows. */
const MAX_SHOWN = 1000;

/** True for a request that belongs to a live run: one fault in it is a fault of the whole batch. */
export function belongsToLiveRun(headers: ReadonlyMap<string, string>): boolean {
  return isAppend(headers) || isInvoke(headers);
}

/** True for a request that adds a record to a run, and not a call. */
export function isStep(headers: ReadonlyMap<string, string>): boolean {
  return isAppend(headers) && !isCall(headers);
}

function isAppend(headers: ReadonlyMap<string, string>): boolean {
  return headers.get(INIT)?.toLowerCase() === "false";
}

/** @throws EngineError that names the field */
export function parseCommand(request: PublishRequest, limits: OptionLimits): Command {
  if (isCall(request.headers)) return parseCall(request, limits);
  if (!request.headers.has(INIT)) return parsePublish(request, limits, undefined);
  const url = checkDestination(request.destination, limits);
  const options = readRunOptions(request, limits);
  if (isAppend(request.headers)) return parseAppend(url, options, request);
  const invocation = isInvoke(request.headers) ? readInvocation(request, options, limits) : undefined;
  return parseStart(url, options, request, invocation);
}

/**
 * The messages that a request to a URL group asks for: one for each endpoint, in their order.
 *
 * @throws EngineError that names the field
 */
export function parseUrlGroupPublish(
  request: PublishRequest,
  urlGroup: UrlGroup,
  limits: OptionLimits,
): PublishMessage[] {
  return urlGroup.endpoints.map((endpoint) => {
    const own = toEndpoint(request, urlGroup, endpoint);
    for (const name of [HEADER.init, HEADER.callType]) {
      if (!own.headers.has(name.toLowerCase())) continue;
      throw invalid(name, `a run has one endpoint, and ${urlGroup.name} is a url group`);
    }
    return parsePublish(own, limits, { name: urlGroup.name, endpoint: endpoint.name });
  });
}

function parsePublish(
  request: PublishRequest,
  limits: OptionLimits,
  urlGroup: NewMessage["urlGroup"],
): PublishMessage {
  const { headers, body } = request;
  const url = checkDestination(request.destination, limits);
  const options = readOptions(headers, limits);
  refuseOtherCalls(headers);
  if (isInvoke(headers)) throw invalid(HEADER.invoke, `it needs ${HEADER.init} beside it`);
  const message = { ...toNewMessage("message", url, options, request), urlGroup };
  checkLimits(options, request, limits);
  return { kind: "message", message, deduplication: deduplicationOf(message, options, body, limits) };
}

/** Parses a request of a client that doesn't know runs: the engine asks the endpoint to configure the run. */
export function parseTrigger(request: PublishRequest, limits: OptionLimits): StartRun {
  const url = checkDestination(request.destination, limits);
  const options = readRunOptions(request, limits);
  const id = request.headers.get(LOWERCASE_HEADER.runId) ?? toRunId();
  return toStartRun({ id: checkRunId(id), url }, options, request, true);
}

function parseStart(
  url: string,
  options: Options,
  request: PublishRequest,
  invocation: Invocation | undefined,
): StartRun {
  const id = requireRunId(request.headers);
  const configuresRun = request.headers.get(LOWERCASE_HEADER.triggerBySdk)?.toLowerCase() === "true";
  const start = { ...toStartRun({ id, url }, options, request, false), configuresRun };
  if (!invocation) return start;
  const { payload, invoker } = invocation;
  return { ...start, payload, run: { ...start.run, invoker } };
}

function toStartRun(
  { id, url }: Pick<NewRun, "id" | "url">,
  options: Options,
  request: PublishRequest,
  awaitingConfiguration: boolean,
): StartRun {
  // A client that starts a run over the REST route doesn't know the endpoint's features: the endpoint sends
  // them.
  const features =
    request.headers.get(LOWERCASE_HEADER.featureSet)?.split(",") ??
    (awaitingConfiguration ? ALL_FEATURES : []);
  const config: RunConfig = {
    forward: options.forward,
    contentType: options.contentType,
    ...policyOf(options),
    // For a client that names its features, the options of a report without a URL are those of the workflow's
    // own failure function.
    failureCallback: failureCallbackOf(
      features.length > 0 ? url : undefined,
      withoutRepeated(options, request.headers),
    ),
    features: features.map((feature) => feature.trim()),
    lifetime: lifetimeOf(request.headers),
    triggerId: triggerIdOf(request.headers),
  };
  const { now: createdAt, callerIp, body: payload } = request;
  const run: NewRun = { id, url, createdAt, callerIp, config, awaitingConfiguration, invoker: undefined };
  // The run holds the options for all its deliveries; this first one has no others.
  const message = { ...toNewMessage("step", url, options, request), forward: [] };
  return { kind: "start", run, payload, message, configuresRun: false };
}

/**
 * Clients send a run's retries again as the retries of its failure function. A mere repetition isn't a
 * choice: the policy of the workflow's endpoint wins over it.
 */
function withoutRepeated(options: Options, headers: ReadonlyMap<string, string>): Options {
  const { failure } = options;
  if (!failure) return options;
  const chosen = headers.get(LOWERCASE_HEADER.failureOptions)?.split(/, */) ?? [];
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

/** The time limit of a run, in milliseconds. @throws EngineError `invalid_request` */
export function lifetimeOf(headers: ReadonlyMap<string, string>): number | undefined {
  const text = headers.get(LOWERCASE_HEADER.runTimeout);
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw invalid(HEADER.runTimeout, `expected a duration such as "30s", "5m" or "1d12h", got "${text}"`);
}

function triggerIdOf(headers: ReadonlyMap<string, string>): string | undefined {
  const id = headers.get(LOWERCASE_HEADER.triggerId);
  if (id === undefined || /^[\w-]{1,64}$/.test(id)) return id;
  throw invalid(HEADER.triggerId, `expected up to 64 letters, digits, "-" and "_", got "${id}"`);
}

function parseAppend(url: string, options: Options, request: PublishRequest): AppendStep {
  const runId = requireRunId(request.headers);
  let record: StepRecord;
  try {
    const { body, json } = request;
    record = json ? toRecord(json.value, toText(body.subarray(0, MAX_SHOWN))) : readRecord(toText(body));
  } catch (cause) {
    throw new EngineError("invalid_request", `invalid step for workflow run ${runId}: ${messageOf(cause)}`, {
      cause,
    });
  }
  // Older clients send the URL for failure reports with each step; today's send it once, with the trigger.
  const failureCallback = failureCallbackOf(undefined, options);
  const message = { ...toNewMessage("step", url, options, request), failureCallback };
  return { kind: "append", runId, key: recordKey(record), record, body: request.body, message };
}

/** Reads the options of a request that belongs to a run. */
function readRunOptions(request: PublishRequest, limits: OptionLimits): Options {
  const { headers } = request;
  const options = readOptions(headers, limits);
  refuseOtherCalls(headers);
  refusePlainOptions(options);
  checkLimits(options, request, limits);
  return options;
}

/**
 * Refuses the kinds of delivery that only the engine makes, such as the answer to a call and the report of a
 * failure.
 */
function refuseOtherCalls(headers: ReadonlyMap<string, string>): void {
  const callType = headers.get(LOWERCASE_HEADER.callType);
  if (callType !== undefined && callType !== "step") throw unsupported(`${HEADER.callType}: ${callType}`);
  // Only the answer to a call belongs to a run.
  const name = [...headers.keys()].find((one) => one.startsWith(CALL_CALLBACK_PREFIX));
  if (name !== undefined) throw unsupported(name);
}
