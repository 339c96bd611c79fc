import { asErrorBody, type ErrorBody } from "./error.ts";
import type { StepType } from "./step.ts";

/** What became of one step's rollback. */
export interface RollbackRecord {
  readonly stepId: number;
  readonly stepName: string;
  readonly stepType: StepType;
  /** `failed`: its attempts are used up. */
  readonly state: "done" | "failed";
  readonly attempts: number;
  readonly error?: ErrorBody;
}

/** A rollback in a report that goes elsewhere than to the workflow: the workflow is still being asked for it. */
export interface PendingRollback extends Omit<RollbackRecord, "state"> {
  readonly state: "pending";
}

/** The rollback that an answer's body tells of; undefined when it tells of none. */
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
    return undefined; // Whoever has answered isn't one of ours.
  }
}

/** What an answer to a failure or a cancellation says of its rollbacks. */
export type RollbackAnswer = "recorded" | "over";
