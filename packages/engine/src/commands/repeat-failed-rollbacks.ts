import { deadLetter } from "../queries/dead-letter.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { Run } from "../rules/run.ts";
import type { Tx } from "../store/tx.ts";
import { lockDeadLetters } from "./lock-dead-letters.ts";
import { repeatRollbacks } from "./repeat-rollbacks.ts";

/**
 * Retries the failed rollbacks of a failed run, and nothing else.
 *
 * @throws EngineError `not_found`; `conflict` where none has failed, or the run's end is in progress
 */
export async function repeatFailedRollbacks(tx: Tx, dlqId: string): Promise<Run> {
  await lockDeadLetters(tx, { dlqIds: [dlqId], count: 1 });
  await deadLetter(tx, dlqId, true);
  const run = await repeatRollbacks(tx, dlqId);
  if (run) return run;
  throw new EngineError(
    "conflict",
    `dead letter ${dlqId} has no failed rollbacks, or its rollbacks or its failure function are in progress`,
  );
}
