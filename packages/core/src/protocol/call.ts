import { textFromBase64 } from "../util/bytes.ts";
import { safely } from "../util/check.ts";
import type { Duration } from "../util/duration.ts";
import * as HEADER from "./header-names.ts";
import { CALL_FEATURES, forCallback, forward, PROTOCOL_VERSION } from "./headers.ts";
import { missingMessage } from "./history.ts";
import { type Message, type RunRef, runIdHeaders } from "./message.ts";
import {
  contentTypeOf,
  definedHeaders,
  type FlowControl,
  flowControlHeaders,
  forwardedHeaders,
  type HeaderList,
  headerIn,
  renameHeaders,
  retryHeaders,
  toLimit,
} from "./options.ts";
import { NON_RETRYABLE_STATUS } from "./outcome.ts";
import { malformed, parseBase64, parseCallback } from "./parse.ts";
import type { RetryDelayOption } from "./retry-delay.ts";
import { isPositive, type StepRecord, type StepType } from "./step.ts";

export type HttpMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** An HTTP request that the engine makes for a run, however long the answer takes. */
export interface CallRequest {
  /** An `http://` or `https://` URL that the engine can reach. */
  readonly url: string;
  /** GET by default. */
  readonly method?: HttpMethod;
  /** A string. Serialize other values, for example with `JSON.stringify`. */
  readonly body?: string | undefined;
  /** The request's headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Retries after an answer that isn't 2xx. 0 by default. */
  readonly retries?: number;
  /** The wait before each retry: seconds, a duration, or an expression in milliseconds: `"1000 * pow(2, retried)"`. */
  readonly retryDelay?: RetryDelayOption;
  /** Limit of each attempt: seconds or a duration. */
  readonly timeout?: number | Duration;
  /** A limit that all calls and runs with the same key share. */
  readonly flowControl?: FlowControl;
}

/** The position of a step in its run. */
export interface StepPosition extends RunRef {
  readonly id: number;
  readonly concurrent: number;
  /** The step has a rollback. */
  readonly rollback?: true | undefined;
}

/** Creates the message that makes the engine send the request, and deliver the answer to the workflow's endpoint. */
export function callMessage(place: StepPosition, stepName: string, call: CallRequest): Message {
  const { headers } = call;
  const contentType = contentTypeOf(headers) ?? "application/json";
  const { url, invokeCount } = place;
  const answer: HeaderList = [
    ...runIdHeaders(place),
    [HEADER.callType, "fromCallback"],
    [forward(HEADER.isCallResult), true],
    [forward(HEADER.stepId), place.id],
    [forward(HEADER.stepName), encodeStepName(stepName)],
    [forward(HEADER.stepType), "Call" satisfies StepType],
    [forward(HEADER.concurrent), place.concurrent],
    [forward(HEADER.rollback), place.rollback],
    [forward(HEADER.resultContentType), contentType],
    [forward(HEADER.invokeCount), invokeCount || undefined],
  ];
  return {
    url: call.url,
    method: call.method ?? "GET",
    body: call.body,
    headers: definedHeaders([
      ...runIdHeaders(place),
      [HEADER.featureSet, CALL_FEATURES],
      [HEADER.sdkVersion, PROTOCOL_VERSION],
      [HEADER.callType, "toCallback"],
      [HEADER.contentType, contentType],
      ...callPolicyHeaders(call, place.exact),
      ...forwardedHeaders(headers),
      [forward(HEADER.contentType), contentTypeOf(headers)],
      [HEADER.callback, url],
      ...renameHeaders(answer, forCallback),
    ]),
  };
}

/** Returns the headers for a call's retries, timeout and flow control. @throws TypeError that names the invalid option */
export function callPolicyHeaders(call: CallPolicy, exact?: boolean): HeaderList {
  const { retries = 0, retryDelay, timeout, flowControl } = call;
  return [
    ...retryHeaders(retries, retryDelay),
    [HEADER.timeout, toLimit("timeout", timeout, exact)],
    ...flowControlHeaders(flowControl),
  ];
}

type CallPolicy = Pick<CallRequest, "retries" | "retryDelay" | "timeout" | "flowControl">;

/**
 * Reads the delivery of a call's answer.
 *
 * @returns undefined when the engine will retry the call
 * @throws WorkflowError `malformed_body` for an invalid body, or headers that don't name the step
 */
export function readCallAnswer(headers: Headers, json: string): StepRecord | undefined {
  const body = parseCallback<AnswerBody>(SUBJECT, json);
  const { status, workflowRunId } = body;
  const header = body.header ?? {};
  // A token of another engine isn't bound to a kind of delivery and a run, so the body must show both.
  if (body.dlqId !== undefined) throw malformed(SUBJECT, "is a failure", json);
  if (workflowRunId !== undefined && workflowRunId !== headers.get(HEADER.runId))
    throw malformed(SUBJECT, "belongs to another run", json);
  const succeeded = status >= 200 && status < 300;
  const final =
    toInteger(body.retried) >= toInteger(body.maxRetries) ||
    (status === NON_RETRYABLE_STATUS && headerIn(HEADER.nonRetryable, header) !== undefined);
  if (!succeeded && !final) return undefined;
  const stepId = Number(headers.get(HEADER.stepId));
  const concurrent = Number(headers.get(HEADER.concurrent));
  const stepName = headers.get(HEADER.stepName);
  if (!isPositive(stepId) || !isPositive(concurrent) || !stepName)
    throw malformed(SUBJECT, "names no step", json);
  // The protocol records an answer's body with one character per byte.
  const latin1 = parseBase64(body.body ?? "", "A body in the answer to a call", atob);
  const out = JSON.stringify({ status, body: latin1, header });
  return {
    stepId,
    stepName: decodeStepName(stepName),
    stepType: "Call",
    out,
    concurrent,
    rollback: headers.has(HEADER.rollback) || undefined,
  };
}

function toInteger(count: unknown): number {
  return Number.isSafeInteger(count) ? (count as number) : 0;
}

interface AnswerBody {
  readonly header?: Record<string, string[]> | null;
  readonly body?: string | null;
  readonly workflowRunId?: string;
  /** Only a failure callback has one. */
  readonly dlqId?: string;
  readonly retried?: number;
  readonly maxRetries?: number;
}

const SUBJECT = "The answer to a call";

/** Encodes a step's name as the value of a header: characters outside printable ASCII, and `%`, are percent-encoded. */
export function encodeStepName(name: string): string {
  return name.replace(/^ | $|[^\x20-\x7e]|%/gu, encodeURIComponent);
}

/**
 * Decodes a step's name from the value of a header.
 *
 * @example
 * ```ts
 * decodeStepName("na%C3%AFve"); // "naïve"
 * ```
 */
export function decodeStepName(name: string): string {
  // Not every sender encodes names.
  return safely(() => decodeURIComponent(name)) ?? name;
}

/** Finds a call's answer in a run's history, when the answer was too large for the delivery. */
export function callAnswerIn(
  entries: readonly { messageId: string; body: string; callType: string }[],
  messageId: string | undefined,
): string {
  const entry = entries.find((one) => one.messageId === messageId && one.callType === "fromCallback");
  if (entry) return textFromBase64(entry.body);
  throw missingMessage(messageId);
}
