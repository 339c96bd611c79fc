/** How an answer to the engine says what became of a delivery. */
export type FinishCondition =
  | "success"
  | "duplicate-step"
  | "fromCallback"
  | "workflow-already-ended"
  | "failure-callback-undefined";

/** The status that, with the header for it, tells an engine not to retry. */
export const NON_RETRYABLE_STATUS = 489;

/** Where a run stood when an attempt failed. */
export interface FailedStep {
  readonly id: number;
  readonly name: string;
  readonly type: string;
}

/** What a request came to. Each becomes exactly one answer. */
export type Outcome =
  /** The delivery has had its effect. */
  | { readonly kind: "done"; readonly runId: string; readonly finish: FinishCondition }
  /** The failure function ran; its result goes on record. */
  | { readonly kind: "failureHandled"; readonly result: unknown }
  /** There is no failure function to run. */
  | { readonly kind: "failureUnhandled"; readonly runId: string }
  /** User code or the engine failed this attempt: the engine decides on another. */
  | { readonly kind: "failed"; readonly error: unknown; readonly step?: FailedStep | undefined }
  /** The request itself is at fault: nothing was run. */
  | { readonly kind: "refused"; readonly status: 400 | 401 | 403 | 405 | 413; readonly error: Error };
