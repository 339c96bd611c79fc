import { asErrorBody, type ErrorBody } from "./error.ts";
import type { StepType } from "./step.ts";

/** The recorded state of a step's rollback. */
export interface RollbackRecord {
  readonly stepId: number;
  readonly stepName: string;
  readonly stepType: StepType;
  /** `failed`: no retry is left. */
  readonly state: "done" | "failed";
  readonly attempts: number;
  readonly error?: ErrorBody;
}

/** A rollback that the workflow hasn't finished, in a report to another endpoint. */
export interface PendingRollback extends Omit<RollbackRecord, "state"> {
  readonly state: "pending";
}

/**
 * Reads the rollback from the body of an endpoint's answer; undefined when the answer contains none.
 *
 * @example
 * ```ts
 * const record = readRollback(await response.text());
 * if (record?.state === "failed") console.error(record.stepName, record.error);
 * ```
 */
export function readRollback(json: string): RollbackRecord | undefined {
  try {
    const { rollback } = JSON.parse(json);
    const { stepId, stepName, stepType, state, attempts, error } = rollback;
    const counts = Number.isSafeInteger(stepId) && Number.isSafeInteger(attempts);
    const texts = typeof stepName === "string" && typeof stepType === "string";
    if (!counts || !texts || (state !== "done" && state !== "failed")) return undefined;
    const thrown = asErrorBody(error);
    return {
      stepId,
      stepName,
      stepType: stepType as StepType,
      state,
      attempts,
      ...(thrown ? { error: thrown } : {}),
    };
  } catch {
    return undefined; // The answer isn't that of a workflow.
  }
}

/** The value of `HEADER.rollback`: the answer records one rollback, or no rollback is left. */
export type RollbackAnswer = "recorded" | "over";
