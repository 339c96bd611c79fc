import { WorkflowError, type WorkflowErrorCode } from "../util/errors.ts";
import type { ErrorBody, FailedStep } from "./error.ts";
import type { RollbackRecord } from "./rollback.ts";

/** How an answer to the engine says what became of a delivery. */
export type FinishCondition =
  | "success"
  | "duplicate-step"
  | "fromCallback"
  | "workflow-already-ended"
  | "failure-callback-undefined";

/** The status that, with the header for it, tells an engine not to retry. */
export const NON_RETRYABLE_STATUS = 489;

/** How a step, or a rollback, wants to be tried again. */
export interface RetryDecision {
  /** Retries in all; undefined leaves it to the engine. */
  readonly retries: number | undefined;
  /** They are used up, whatever the engine's are. */
  readonly exhausted: boolean;
  /** Milliseconds until the next attempt. */
  readonly delayMs: number | undefined;
}

/** An attempt that failed. */
export interface FailedAttempt {
  readonly error: unknown;
  readonly where?: ErrorBody["where"];
  readonly step?: FailedStep | undefined;
  readonly retry?: RetryDecision | undefined;
}

/** What a request came to. Each becomes exactly one answer. */
export type Outcome =
  /** The delivery has had its effect. */
  | { readonly kind: "done"; readonly runId: string; readonly finish: FinishCondition }
  /** The failure function ran; its result goes on record. */
  | { readonly kind: "failureHandled"; readonly result: unknown }
  /** A step has been rolled back, or can't be; or nothing is left to roll back, and nothing else was asked for. */
  | { readonly kind: "rolledBack"; readonly record: RollbackRecord | undefined }
  /** User code or the engine failed this attempt: the engine decides on another. */
  | ({ readonly kind: "failed" } & FailedAttempt)
  | Refusal;

/** The request itself is at fault: nothing was run. */
export interface Refusal {
  readonly kind: "refused";
  readonly status: 400 | 401 | 403 | 405 | 413;
  readonly error: WorkflowError;
}

/** Has the request refused. */
export function refused(status: Refusal["status"], code: WorkflowErrorCode, message: string): Refusal {
  return { kind: "refused", status, error: new WorkflowError(code, message) };
}

/** The delivery has had its effect, or can't have it any more. */
export function done(runId: string, finish: FinishCondition): Outcome {
  return { kind: "done", runId, finish };
}
