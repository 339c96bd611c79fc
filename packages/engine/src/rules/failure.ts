import { type ErrorBody, type FailureBody, type FailureDetails, newMessageId } from "@perdure/core/protocol";
import { toBase64, toBytes } from "./bytes.ts";
import { toHeaderMap } from "./header.ts";
import type { Callback, Failure, Message, NewMessage, Reply } from "./message.ts";
import { retryPolicy } from "./policy.ts";
import { type AttemptEnd, plainSource, reportBody, toReport } from "./report.ts";
import { deliveryOf, inherit, type Run } from "./run.ts";

/**
 * The most milliseconds for which a failure report to another URL than the workflow's waits for the
 * workflow's rollbacks. The engine sends the report earlier when the workflow can't be reached.
 */
export const ALARM_DELAY = 60_000;

/** A message without attempts left, and its failure. */
export interface Failed {
  readonly message: Message;
  readonly failure: Failure;
  readonly dlqId: string;
  /** The message's body; for a run's message, the run's payload or history. */
  readonly sourceBody: Uint8Array;
}

/**
 * The report of a run's failure to its failure function. Its body is fixed here, once: each attempt to
 * deliver it sends the same bytes.
 */
export function runFailureMessage(
  { message, failure, dlqId, sourceBody }: Failed,
  run: Run,
  callback: Callback,
  kind: "failure" | "rollback" = "failure",
): NewMessage {
  const body: FailureBody = {
    ...reportBody(message, toEnd(failure)),
    url: run.url,
    sourceHeader: toHeaderMap(run.config.forward),
    sourceBody: toBase64(sourceBody),
    callerIP: run.callerIp,
    workflowRunId: run.id,
    workflowCreatedAt: run.createdAt,
    dlqId,
    // The endpoint's answer, unless the answer is the reason of the failure.
    ...(failure.byEngine || !failure.reply ? { perdure: answered(failure.reply) } : {}),
  };
  const source = { ...retryPolicy(run, kind), callerIp: run.callerIp };
  return { ...toReport(message, callback, { body, at: failure.at, source }), kind };
}

function answered(reply: Reply | undefined): FailureDetails {
  return { started: [], begun: false, rollbacks: [], answer: toBase64(reply?.body ?? new Uint8Array()) };
}

/** The report of a run's cancellation, to an endpoint that has asked for it. */
export function cancelMessage(run: Run, payload: Uint8Array, now: number): NewMessage {
  const id = newMessageId();
  const reason: ErrorBody = { error: "WorkflowError", message: "the run was cancelled" };
  const message = inherit({ ...deliveryOf(run, "step", now), id, notBefore: now }, run);
  const body: FailureBody = {
    status: 0,
    header: {},
    body: toBase64(toBytes(JSON.stringify(reason))),
    retried: 0,
    maxRetries: message.retries,
    sourceMessageId: id,
    method: message.method,
    url: run.url,
    sourceHeader: toHeaderMap(run.config.forward),
    sourceBody: toBase64(payload),
    notBefore: now,
    createdAt: now,
    callerIP: run.callerIp,
    dlqId: "",
    workflowRunId: run.id,
    workflowCreatedAt: run.createdAt,
  };
  return { ...message, kind: "cancel", body: toBytes(JSON.stringify(body)), flow: undefined };
}

/** The report of a message's failure; `undefined` when its sender asked for none. */
export function messageFailureMessage({
  message,
  failure,
  dlqId,
}: Omit<Failed, "sourceBody">): NewMessage | undefined {
  const { failureCallback } = message;
  if (!failureCallback) return undefined;
  const body = { ...reportBody(message, toEnd(failure)), ...plainSource(message), dlqId };
  return toReport(message, failureCallback, { body, at: failure.at });
}

function toEnd(failure: Failure): AttemptEnd {
  return { at: failure.at, reply: failure.reply, failure };
}
