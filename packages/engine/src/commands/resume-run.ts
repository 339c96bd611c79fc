import { deadLetters } from "../queries/lists.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { ResumedRuns, ResumeRequest } from "../store/lists.ts";
import type { Tx } from "../store/tx.ts";
import { resumeRuns } from "./resume-runs.ts";

/**
 * Resumes or restarts one failed run, as a new run.
 *
 * @throws EngineError `not_found`; `conflict` while its rollbacks or its failure function are in progress
 */
export async function resumeRun(
  tx: Tx,
  dlqId: string,
  how: ResumeRequest,
): Promise<ResumedRuns["runs"][number]> {
  const [run] = (await resumeRuns(tx, { dlqIds: [dlqId], count: 1 }, how)).runs;
  if (run) return run;
  const [letter] = (await deadLetters(tx, { dlqIds: [dlqId], count: 1, ofRuns: true })).items;
  if (!letter) throw new EngineError("not_found", `dead letter ${dlqId} of a workflow run not found`);
  throw new EngineError(
    "conflict",
    `dead letter ${dlqId} can't be resumed or restarted yet: its rollbacks or its failure function are in progress; wait for them, or cancel them`,
  );
}
