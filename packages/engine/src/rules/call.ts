import {
  decodeStepName,
  HEADER,
  keyOf,
  LOWERCASE_HEADER,
  LOWERCASE_PREFIX,
  newMessageId,
  PREFIX,
  type StepRecord,
} from "@perdure/core/protocol";
import { toBase64, toBytes } from "./bytes.ts";
import { bodyOf, type CallEnd } from "./call-record.ts";
import { NO_POLICY, policyOf } from "./delivery-policy.ts";
import { checkDestination } from "./destination.ts";
import { invalid, unsupported } from "./engine-error.ts";
import { withPrefix } from "./forward.ts";
import { type HeaderList, toHeaderMap, toShown } from "./header.ts";
import { checkDelays, checkLimits, refusePlainOptions } from "./limits.ts";
import type { Callback, Message, NewMessage } from "./message.ts";
import { type PublishRequest, requireRunId, toNewMessage } from "./new-message.ts";
import { type OptionLimits, readOptions } from "./options.ts";
import type { Run } from "./run.ts";

/** A run's request to a third party, whose answer the engine brings to the workflow. */
export interface StartCall {
  readonly kind: "call";
  readonly runId: string;
  /** The entry's key, unique within its run. */
  readonly key: string;
  /** The body for the third party. */
  readonly body: Uint8Array;
  readonly message: NewMessage;
}

/** A step of a run, as a call's headers name it. */
export interface CalledStep {
  readonly id: number;
  readonly name: string;
  readonly concurrent: number;
}

const CALLBACK = LOWERCASE_PREFIX.callback;
const OWN = LOWERCASE_PREFIX.own;

/** Returns true if the engine brings the answer to a request to a workflow. */
export function isCall(headers: ReadonlyMap<string, string>): boolean {
  return headers.get(LOWERCASE_HEADER.callType) === "toCallback";
}

/** @throws EngineError that names the field */
export function parseCall(request: PublishRequest, limits: OptionLimits): StartCall {
  const url = checkDestination(request.destination, limits);
  const own = new Map([...request.headers].filter(([name]) => !ofCallback(name)));
  const options = readOptions(own, limits);
  refusePlainOptions(options);
  const callback = readCallback(request, limits);
  const message: NewMessage = {
    ...toNewMessage("call", url, options, request),
    // A third party's failure is an answer, too: the engine retries only a call that asks for retries.
    retries: options.retries ?? 0,
    failureCallback: undefined,
    callback,
  };
  checkLimits(options, request, limits);
  const step = calledStep(callback.options?.forward);
  const key = keyOf("call", step?.id ?? message.id);
  return { kind: "call", runId: requireRunId(request.headers), key, body: request.body, message };
}

function readCallback({ headers, now }: PublishRequest, limits: OptionLimits): Callback {
  const url = headers.get(LOWERCASE_HEADER.callback);
  if (!url) throw invalid(HEADER.callback, "a call needs a URL to which the engine brings the answer");
  const own = withPrefix(headers, CALLBACK, OWN);
  const type = own.get(LOWERCASE_HEADER.callType);
  if (type !== undefined && type !== "fromCallback") {
    throw unsupported(`${PREFIX.callback}${HEADER.callType.slice(PREFIX.own.length)}: ${type}`);
  }
  // A call has no failure callback but the run's: when the engine can't deliver an answer, the run has
  // failed.
  const options = readOptions(own, limits, PREFIX.callback);
  refusePlainOptions(options, PREFIX.callback);
  checkDelays(options, now, limits, PREFIX.callback);
  return { url: checkDestination(url, limits), options };
}

function ofCallback(name: string): boolean {
  return name === LOWERCASE_HEADER.callback || name.startsWith(CALLBACK);
}

/** The step of a call, if the headers that are forwarded with its answer name it. */
export function calledStep(forward: HeaderList | undefined): CalledStep | undefined {
  if (!forward) return undefined;
  const id = Number(headerOf(forward, HEADER.stepId));
  if (!Number.isSafeInteger(id) || id < 1) return undefined;
  const concurrent = Number(headerOf(forward, HEADER.concurrent) ?? 1);
  return { id, name: decodeStepName(headerOf(forward, HEADER.stepName) ?? ""), concurrent };
}

/** The answer of a call as an entry of the history, with the message that delivers it. */
export interface CallAnswer {
  readonly key: string;
  readonly body: Uint8Array;
  readonly message: NewMessage;
}

export function toAnswer(call: Message, run: Run, end: CallEnd): CallAnswer {
  const options = call.callback?.options;
  const message: NewMessage = {
    id: newMessageId(),
    kind: "answer",
    urlGroup: undefined,
    url: call.callback?.url ?? run.url,
    method: "POST",
    forward: options?.forward ?? [],
    contentType: "application/json",
    body: undefined,
    ...policyOf(options ?? NO_POLICY),
    // These options belong to the run.
    labels: [],
    redact: undefined,
    notBefore: end.at + (options?.delay ?? 0),
    createdAt: end.at,
    callerIp: run.callerIp,
    failureCallback: undefined,
    callback: undefined,
  };
  const id = calledStep(options?.forward)?.id ?? call.id;
  return { key: keyOf("answer", id), body: answerBody(call, run, end), message };
}

/** The answer as JSON. Its body in base64 needs no escaping, and a large one is copied once. */
function answerBody(call: Message, run: Run, end: CallEnd): Uint8Array {
  const fields = JSON.stringify(answerFields(call, run, end)).slice(1);
  const body = Buffer.from(toBase64(bodyOf(end)), "latin1");
  return Buffer.concat([toBytes('{"body":"'), body, toBytes(`",${fields}`)]);
}

function answerFields(call: Message, run: Run, { reply, failure }: CallEnd): object {
  return {
    status: reply?.status ?? 0,
    header: toShown(reply?.headers ?? {}),
    // An endpoint takes a failure for final only if no retries are left. The engine may have
    // skipped some, so it sends the maximum.
    retried: failure ? call.maxRetries : call.retried,
    maxRetries: call.maxRetries,
    sourceMessageId: call.id,
    url: call.url,
    method: call.method,
    sourceHeader: toHeaderMap(call.forward),
    notBefore: call.notBefore,
    createdAt: call.createdAt,
    callerIP: call.callerIp,
    workflowRunId: run.id,
    workflowCreatedAt: run.createdAt,
  };
}

/** The plan of a call's step, if the headers that are forwarded with its answer name it. */
export function planOfCall({ callback }: Message): StepRecord | undefined {
  const forward = callback?.options?.forward;
  const step = calledStep(forward);
  if (!forward || !step) return undefined;
  const { id: targetStep, name: stepName, concurrent } = step;
  const rollback = headerOf(forward, HEADER.rollback) === undefined ? undefined : true;
  return { stepId: 0, targetStep, stepName, stepType: "Call", concurrent, rollback };
}

function headerOf(list: HeaderList, name: string): string | undefined {
  return list.find(([one]) => one === name.toLowerCase())?.[1];
}
