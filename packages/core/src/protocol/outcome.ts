import { WorkflowError, type WorkflowErrorCode } from "../util/errors.ts";
import type { ErrorBody, FailedStep } from "./error.ts";
import type { InlineEnd } from "./inline.ts";
import type { RollbackRecord } from "./rollback.ts";

/** The result of a delivery in the endpoint's answer to the engine. */
export type FinishCondition =
  | "success"
  | "duplicate-step"
  | "fromCallback"
  | "workflow-already-ended"
  | "failure-callback-undefined";

/** With this status and `HEADER.nonRetryable`, an answer asks the engine not to retry. */
export const NON_RETRYABLE_STATUS = 489;

/** The decision on the retry of a step or a rollback. */
export interface RetryDecision {
  /** The total number of retries; undefined for the engine's. */
  readonly retries?: number | undefined;
  /** True when no retry is left, whatever number the engine has. */
  readonly exhausted: boolean;
  /** Milliseconds until the next attempt. */
  readonly delayMs?: number | undefined;
}

/** An attempt that failed. */
export interface FailedAttempt {
  readonly error: unknown;
  readonly where?: ErrorBody["where"];
  readonly step?: FailedStep | undefined;
  readonly retry?: RetryDecision | undefined;
  /** 1 for the step's first attempt. Default: the delivery's. */
  readonly attempt?: number;
}

/** The end of an inline invocation, in the endpoint's answer. */
export interface InlineAnswerPart {
  readonly lease: string;
  readonly end: InlineEnd;
}

/** The outcome of a request. The runtime answers each with exactly one response. */
export type Outcome =
  /** The delivery has taken effect. */
  | {
      readonly kind: "done";
      readonly runId: string;
      readonly finish: FinishCondition;
      readonly inline?: InlineAnswerPart;
    }
  /** The invocation had lost its right to append to the run: the engine ignores its answer. */
  | { readonly kind: "lost"; readonly lease: string; readonly reason: "lease_lost" | "run_over" }
  /** The failure function ran; the engine records its result. */
  | { readonly kind: "failureHandled"; readonly result: unknown }
  /** A step was rolled back, or can't be; without a record, no rollback is left. */
  | { readonly kind: "rolledBack"; readonly record: RollbackRecord | undefined }
  /** User code or the engine failed this attempt; the engine decides on a retry. */
  | ({ readonly kind: "failed"; readonly inline?: InlineAnswerPart } & FailedAttempt)
  | Refusal;

/** The request is invalid, or its caller isn't authorized: no user code ran. */
export interface Refusal {
  readonly kind: "refused";
  readonly status: 400 | 401 | 403 | 405 | 413;
  readonly error: WorkflowError;
}

/** Refuses a request. */
export function refused(status: Refusal["status"], code: WorkflowErrorCode, message: string): Refusal {
  return { kind: "refused", status, error: new WorkflowError(code, message) };
}

/** Finishes a delivery that has taken effect, or no longer can. */
export function done(runId: string, finish: FinishCondition): Extract<Outcome, { kind: "done" }> {
  return { kind: "done", runId, finish };
}
