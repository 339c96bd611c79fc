import type { FailureBody } from "@perdure/core/protocol";
import { toBase64 } from "./bytes.ts";
import { toHeaderMap } from "./header.ts";
import type { Draft, Failure, Message } from "./message.ts";
import { type AttemptEnd, plainSource, reportBody, toReport } from "./report.ts";
import { failureCallbackOf, type Run } from "./run.ts";

/** A message that failed for good. */
export interface Failed {
  readonly message: Message;
  readonly failure: Failure;
  readonly dlqId: string;
  /** What the message carried; for a run's, the payload that the run was started with, or its history. */
  readonly sourceBody: Uint8Array;
}

/**
 * The report of a run's failure to its failure function. Its body is fixed here, once: each attempt to deliver it sends
 * the same bytes.
 */
export function runFailureMessage({ message, failure, dlqId, sourceBody }: Failed, run: Run): Draft {
  const body: FailureBody = {
    ...reportBody(message, toEnd(failure)),
    url: run.url,
    sourceHeader: toHeaderMap(run.config.forward),
    sourceBody: toBase64(sourceBody),
    callerIP: run.callerIp,
    workflowRunId: run.id,
    workflowCreatedAt: run.createdAt,
    dlqId,
  };
  return toReport(message, failureCallbackOf(run), body, failure.at, {
    retries: run.config.retries,
    callerIp: run.callerIp,
  });
}

/** The report of a message's failure; `undefined` when nobody asked for one. */
export function messageFailureMessage({
  message,
  failure,
  dlqId,
}: Omit<Failed, "sourceBody">): Draft | undefined {
  const { failureCallback } = message;
  if (!failureCallback) return undefined;
  const body = { ...reportBody(message, toEnd(failure)), ...plainSource(message), dlqId };
  return toReport(message, failureCallback, body, failure.at);
}

function toEnd(failure: Failure): AttemptEnd {
  return { at: failure.at, reply: failure.reply, failure };
}
