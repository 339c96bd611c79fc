import { affectedBy } from "../queries/affected-runs.ts";
import { runRows } from "../queries/lists.ts";
import type { ResumeRequest, RunQuery } from "../store/lists.ts";
import { toRun } from "../store/tables/rows.ts";
import { lockAll, type Tx } from "../store/tx.ts";
import { CANCELED, finishRun } from "./finish-run.ts";
import { resumeRuns } from "./resume-runs.ts";

/** A change of many runs. A resumption or a restart may change options of the runs. */
export type BulkChange = { readonly kind: "cancel" } | ResumeRequest;

/**
 * Cancels, resumes or restarts runs, unless their states have changed so that the action doesn't apply any more.
 *
 * @returns the number of runs that it has changed
 */
export async function changeRuns(
  tx: Tx,
  chosen: NonNullable<RunQuery["runs"]>,
  change: BulkChange,
): Promise<number> {
  const count = chosen.length;
  if (change.kind === "cancel") await lockAll(tx, { run: chosen.map(({ id }) => id) });
  const runs = (await runRows(tx, affectedBy(change.kind, { runs: chosen, count }))).map(toRun);
  if (change.kind === "cancel") {
    for (const run of runs) await finishRun(tx, run, CANCELED);
    return runs.length;
  }
  const dlqIds = runs.flatMap(({ dlqId }) => dlqId ?? []);
  return (await resumeRuns(tx, { dlqIds, count }, change)).runs.length;
}
