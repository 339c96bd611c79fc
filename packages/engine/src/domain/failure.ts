import type { FailureBody } from "@perdure/core/protocol";
import { toBase64 } from "./bytes.ts";
import { toHeaderMap, toShown } from "./header.ts";
import { newMessageId } from "./ids.ts";
import { type Callback, DEFAULT_RETRIES, type Draft, type Failure, type Message } from "./message.ts";
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
export function runFailureMessage(failed: Failed, run: Run): Draft {
  const body: FailureBody = {
    ...commonBody(failed),
    url: run.url,
    sourceHeader: toHeaderMap(run.config.forward),
    callerIP: run.callerIp,
    workflowRunId: run.id,
    workflowCreatedAt: run.createdAt,
  };
  return toDraft(failed, failureCallbackOf(run), body, {
    retries: run.config.retries,
    callerIp: run.callerIp,
  });
}

/** The report of a message's failure; `undefined` when nobody asked for one. */
export function messageFailureMessage(failed: Failed): Draft | undefined {
  const { message } = failed;
  if (!message.failureCallback) return undefined;
  const body = { ...commonBody(failed), url: message.url, callerIP: message.callerIp };
  return toDraft(failed, message.failureCallback, body, message);
}

function toDraft(
  { message, failure }: Failed,
  { url, options }: Callback,
  body: object,
  source: { readonly retries: number | undefined; readonly callerIp: string },
): Draft {
  return {
    id: newMessageId(),
    purpose: "failure",
    url,
    method: options?.method ?? "POST",
    forward: options?.forward ?? [],
    contentType: "application/json",
    body: new TextEncoder().encode(JSON.stringify(body)),
    retries: options?.retries ?? source.retries ?? DEFAULT_RETRIES,
    retryDelay: options?.retryDelay ?? message.retryDelay,
    timeout: options?.timeout,
    notBefore: options?.notBefore ?? failure.at + (options?.delay ?? 0),
    createdAt: failure.at,
    callerIp: source.callerIp,
    labels: options && options.labels.length > 0 ? options.labels : message.labels,
    redact: options?.redact ?? message.redact,
    failureCallback: undefined,
    callback: undefined,
    flow: options?.flow,
  };
}

type CommonBody = Omit<FailureBody, "url" | "callerIP" | "workflowRunId" | "workflowCreatedAt">;

function commonBody({ message, failure, dlqId, sourceBody }: Failed): CommonBody {
  return {
    status: failure.reply?.status ?? 0,
    header: toShown(failure.reply?.headers ?? {}),
    body: toBase64(bodyOf(failure)),
    retried: message.retried,
    maxRetries: message.maxRetries,
    sourceMessageId: message.id,
    method: message.method,
    sourceHeader: toHeaderMap(message.forward),
    sourceBody: toBase64(sourceBody),
    notBefore: message.notBefore,
    createdAt: message.createdAt,
    dlqId,
  };
}

/** The answer's body; what went wrong in words where there is none, or where it doesn't say so. */
function bodyOf({ reply, error, byEngine }: Failure): Uint8Array {
  return reply && !byEngine ? reply.body : new TextEncoder().encode(error);
}
