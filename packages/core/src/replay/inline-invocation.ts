import type { AttemptEntry, StepKey } from "../protocol/attempt.ts";
import type { InlineAnswer, InlineAppend, InlineRecord, InlineRequest } from "../protocol/inline.ts";
import type { FailedAttempt } from "../protocol/outcome.ts";
import type { StepRecord } from "../protocol/step.ts";
import type { Step } from "../steps/index.ts";
import type { Invocation } from "./invocation.ts";

/** Limits of one invocation. The times are in milliseconds. */
export interface InlineLimits {
  readonly maxDuration: number;
  readonly maxSteps: number;
  readonly maxWait: number;
}

/** An invocation that runs as many steps as it can. */
export interface InlineInvocation extends Invocation {
  readonly lease: string;
  /** Identifies the invocation among those of a delivery that has arrived more than once. */
  readonly id: string;
  /**
   * Milliseconds by which the engine's clock is ahead of this one. The engine sets the time of a retry by its
   * own clock.
   */
  readonly engineAheadMs: number;
  /** The number of the history's entries. */
  readonly known: number;
  /** The failed attempts in the history. */
  readonly attempts: readonly AttemptEntry[];
  readonly limits: InlineLimits;
  /** Appends to the history. Rejects when the engine gives no usable answer. */
  readonly append: (append: InlineAppend) => Promise<InlineAnswer>;
  /** The request to the engine to do a step. */
  readonly toAsk: (step: Step, id: number) => InlineRequest;
  /**
   * Called when the engine has recorded these results and caught failures of the invocation, or is about to.
   */
  readonly recorded?: ((records: readonly StepRecord[]) => Promise<void>) | undefined;
  /** Called for a result that the engine has recorded on its own. */
  readonly onResult: (record: StepRecord) => void;
  /** Called for a failed attempt that doesn't end the invocation. */
  readonly attemptFailed: (failure: FailedAttempt) => Promise<void>;
}

/** The end of an invocation, with the records that its answer carries. */
export type InlineResult = InlineOutcome & {
  readonly after: number;
  readonly records: readonly InlineRecord[];
};

export type InlineOutcome =
  /** No step can continue now. */
  | { readonly kind: "parked" }
  /** The budget is exhausted, or the engine doesn't accept appends. */
  | { readonly kind: "continue" }
  /** The workflow cancelled its run. */
  | { readonly kind: "canceled" }
  /** The run has another holder, or has ended. */
  | { readonly kind: "lost"; readonly reason: "lease_lost" | "run_over" }
  /** `json`: the result as the engine records it. */
  | { readonly kind: "returned"; readonly result: unknown; readonly json: string | undefined }
  | ({ readonly kind: "threw"; readonly failed?: StepKey } & FailedAttempt);
