import {
  type ErrorBody,
  type InlineEnd,
  NON_RETRYABLE_STATUS,
  readFailure,
  resultId,
  type StepKey,
  type StepRecord,
} from "@perdure/core/protocol";
import { toBytes, toText } from "./bytes.ts";
import { EngineError, invalid } from "./engine-error.ts";
import { readAfter, readInvocation } from "./inline-append.ts";
import {
  type InlineLimits,
  type InlineOrigin,
  type NewInlineEntry,
  type RefusedRecord,
  readAnsweredRecords,
  readStepKey,
} from "./inline-records.ts";
import type { Reply } from "./message.ts";

/** The end of an invocation that held the lease of its run, in the endpoint's answer. */
export interface InvocationEnd {
  /** Identifies the invocation among those of its delivery. */
  readonly invocation: string;
  /** The position of the last entry that the invocation knows. */
  readonly after: number;
  /** The records that it hasn't appended. */
  readonly entries: readonly NewInlineEntry[];
  /** The end of the invocation; undefined for one that failed. */
  readonly end: InlineEnd["end"];
  /** The workflow's result as a JSON string. */
  readonly result: string | undefined;
  /** The step that failed. */
  readonly failed: StepKey | undefined;
  /** The record at which the engine stops reading. */
  readonly refused?: RefusedRecord | undefined;
}

/** The status with which an endpoint says that its invocation has lost the right to append. */
const LEASE_LOST_STATUS = 409;

/** Returns true if the invocation has learned that another one holds the run, or that the run has ended. */
export function hasLostRun({ status }: Pick<Reply, "status">): boolean {
  return status === LEASE_LOST_STATUS;
}

/**
 * @returns undefined for an answer without the end of an invocation
 * @throws EngineError that names the field, or the limit
 */
export function readInvocationEnd(
  { body }: Reply,
  origin: InlineOrigin,
  limits: InlineLimits,
): InvocationEnd | undefined {
  const { perdure } = Object(parseJson(toText(body))) as { perdure?: Partial<InlineEnd> };
  if (typeof perdure !== "object" || perdure === null) return undefined;
  const { invocation, after, records = [], end, result, failed } = perdure;
  if (end !== undefined && !ENDS.includes(end))
    throw invalid("perdure.end", `expected ${ENDS.join(", ")}, got ${JSON.stringify(end)}`);
  if (result !== undefined && typeof result !== "string")
    throw invalid("perdure.result", "expected a string of JSON");
  return {
    invocation: readInvocation(invocation, "perdure.invocation"),
    after: readAfter(after),
    ...readAnsweredRecords(records, origin, limits),
    end,
    result,
    failed: failed && readStepKey(failed, "perdure.failed"),
  };
}

/**
 * The endpoint's answer without the end of its invocation, for those who look at a failure. The records in it are in the
 * history, where redaction applies to them.
 */
export function withoutInvocationEnd(reply: Reply): Reply {
  const { perdure, ...rest } = Object(parseJson(toText(reply.body))) as { perdure?: unknown };
  return perdure === undefined ? reply : { ...reply, body: toBytes(JSON.stringify(rest)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // For example, a page of a proxy in front of the endpoint.
  }
}

const ENDS: readonly unknown[] = ["returned", "parked", "continue"] satisfies InlineEnd["end"][];

/**
 * Returns the error of a failed attempt: the endpoint's, or the engine's own where the endpoint gave none.
 */
export function errorOf(reply: Reply | undefined, error: string): ErrorBody {
  const thrown = reply && readFailure(toText(reply.body), reply.status).thrown;
  return thrown ?? { error: "WorkflowError", message: error };
}

/** The answer of an endpoint whose step has failed because the engine refuses its record. */
export function refusalReply({ headers }: Reply, { record, reason }: RefusedRecord): Reply {
  const { stepName: name, stepType: type, rollback } = record;
  const body: ErrorBody = {
    error: "WorkflowError",
    message: `The engine refuses the record of step "${name}": ${reason}`,
    where: "step",
    step: { id: resultId(record), name, type, rollback },
  };
  return { status: NON_RETRYABLE_STATUS, headers, body: toBytes(JSON.stringify(body)) };
}

/** The key of the step of a record. */
export function keyOfStep({ stepName: name, stepType: type, nth = 1 }: StepRecord): StepKey {
  return { name, type, nth };
}

/** Returns true if the engine will never accept the data that the endpoint sent, however often it is sent. */
export function isRefusal(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code !== "unavailable";
}
