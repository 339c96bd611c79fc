import { deadLetter } from "../queries/dead-letter.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { Run } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import type { DeadLetterQuery, ResumedRuns } from "../store/lists.ts";
import type { Tx } from "../store/tx.ts";
import { cancelMessage } from "./cancel-message.ts";
import { lockDeadLetters } from "./lock-dead-letters.ts";
import { repeatReport } from "./repeat-report.ts";

/**
 * Calls a failure function again after it failed or was cancelled.
 *
 * @throws EngineError `not_found`; `conflict` for one in another state
 */
export async function repeatFailureFunction(tx: Tx, dlqId: string): Promise<Run> {
  await lockDeadLetters(tx, { dlqIds: [dlqId], count: 1 });
  const { callback } = await deadLetter(tx, dlqId, true);
  const run = await repeatReport(tx, dlqId);
  if (run) return run;
  const state = callback?.state ?? "NONE";
  throw new EngineError(
    "conflict",
    `the failure function of dead letter ${dlqId} can't be called again: it is ${state}, not CALLBACK_FAIL or CALLBACK_CANCELED`,
  );
}

/** Calls the failure functions of the dead letters that match again. Leaves out those that have not failed, and were not cancelled. */
export async function repeatFailureFunctions(tx: Tx, query: DeadLetterQuery): Promise<ResumedRuns> {
  const { items, next } = await lockDeadLetters(tx, { ...query, ofRuns: true });
  const runs = await inOrder.flatMap(items, async ({ dlqId }) => {
    const run = await repeatReport(tx, dlqId);
    return run ? [run] : [];
  });
  return { runs, next };
}

/**
 * Ends the attempts to call a failure function.
 *
 * @throws EngineError `not_found`; `conflict` for one that isn't being called
 */
export async function cancelFailureFunction(tx: Tx, dlqId: string): Promise<void> {
  await lockDeadLetters(tx, { dlqIds: [dlqId], count: 1 });
  const { callback } = await deadLetter(tx, dlqId, true);
  if (callback && (await cancelMessage(tx, callback.message.id))) return;
  const state = callback?.state ?? "NONE";
  throw new EngineError(
    "conflict",
    `the failure function of dead letter ${dlqId} can't be canceled: it is ${state}, not CALLBACK_INPROGRESS`,
  );
}
