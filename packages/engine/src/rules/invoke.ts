import { type InvokeEnvelope, isPlan, LOWERCASE_HEADER, recordKey } from "@perdure/core/protocol";
import { toBytes, toText } from "./bytes.ts";
import { EngineError, invalid } from "./engine-error.ts";
import { readUrl } from "./field.ts";
import { refusePlainOptions } from "./limits.ts";
import { checkRunId, firstValues, type PublishRequest, toNewMessage } from "./new-message.ts";
import { type OptionLimits, type Options, readOptions } from "./options.ts";
import { readRecord } from "./record.ts";
import type { Invoker, RunState } from "./run.ts";
import { messageOf } from "./thrown.ts";

/** The most levels of invocation below a run that no other run invoked. */
const MAX_DEPTH = 100;

const INVOKE = LOWERCASE_HEADER.invoke;
const COUNT = LOWERCASE_HEADER.invokeCount;

export function isInvoke(headers: ReadonlyMap<string, string>): boolean {
  return headers.get(INVOKE)?.toLowerCase() === "true";
}

/** The properties of an invoked run. */
export interface Invocation {
  readonly payload: Uint8Array;
  readonly invoker: Invoker;
}

/** @throws EngineError `invalid_request` that names the field, or the depth */
export function readInvocation(request: PublishRequest, options: Options, limits: OptionLimits): Invocation {
  checkDepth(options);
  const envelope = parseEnvelope(request.body);
  const { workflowRunId, workflowRunCreatedAt: createdAt } = envelope;
  const runId = checkRunId(typeof workflowRunId === "string" ? workflowRunId : "");
  const url = readUrl(envelope.workflowUrl, "workflowUrl", limits);
  const step = readStep(envelope, runId);
  const headers = firstValues(envelope.headers ?? {}, "invoke header");
  const own = readOptions(headers, limits);
  refusePlainOptions(own);
  return {
    payload: toPayload(envelope.body),
    invoker: {
      runId,
      createdAt: createdAt !== undefined && Number.isSafeInteger(createdAt) && createdAt > 0 ? createdAt : 0,
      url,
      key: recordKey(step),
      step,
      message: toNewMessage("step", url, own, { ...request, body: new Uint8Array() }),
    },
  };
}

/** The record of the end of a run, in the history of the run that invoked it. */
export function invokeRecord(
  { step }: Invoker,
  end: { readonly state: RunState; readonly response: string | undefined },
): string {
  const out = {
    ...(end.state === "RUN_SUCCESS" && end.response !== undefined ? { body: end.response } : {}),
    isFailed: end.state === "RUN_FAILED",
    isCanceled: end.state === "RUN_CANCELED",
  };
  return JSON.stringify({ ...step, out: JSON.stringify(out) });
}

function checkDepth({ forward }: Options): void {
  const count = Number(forward.find(([name]) => name === COUNT)?.[1] ?? 0);
  if (count <= MAX_DEPTH) return;
  throw new EngineError(
    "invalid_request",
    `a run may be at most ${MAX_DEPTH} levels of invocation deep; this one would be ${count}`,
  );
}

function parseEnvelope(body: Uint8Array): Partial<InvokeEnvelope> {
  let value: unknown;
  try {
    value = JSON.parse(toText(body));
  } catch (cause) {
    throw invalid("invoke body", `it isn't JSON (${messageOf(cause)})`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw invalid("invoke body", "expected an object that names the invoking run and its step");
}

function toPayload(body: unknown): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array();
  return toBytes(typeof body === "string" ? body : JSON.stringify(body));
}

function readStep({ step }: Partial<InvokeEnvelope>, runId: string): Invoker["step"] {
  try {
    const record = readRecord(JSON.stringify(step ?? null));
    if (!isPlan(record)) return record;
  } catch (cause) {
    throw new EngineError("invalid_request", `invalid step for workflow run ${runId}: ${messageOf(cause)}`, {
      cause,
    });
  }
  throw invalid("invoke body", "its step is a plan, which has no result");
}
