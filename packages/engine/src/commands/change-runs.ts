import { page } from "../queries/conditions.ts";
import { runRows } from "../queries/lists.ts";
import type { RunState } from "../rules/run.ts";
import type { BulkAction, BulkResult, ResumeRequest, RunQuery } from "../store/lists.ts";
import { toRun } from "../store/tables/rows.ts";
import type { Tx } from "../store/tx.ts";
import { CANCELED, finishRun } from "./finish-run.ts";
import { resumeRuns } from "./resume-runs.ts";

/** The state of the runs to which an action applies. */
const APPLIES_TO = {
  cancel: "RUN_STARTED",
  resume: "RUN_FAILED",
  restart: "RUN_FAILED",
} as const satisfies Record<BulkAction, RunState>;

/**
 * Restricts a query to the runs to which an action applies: live runs, or failed runs whose dead letters are in
 * the queue.
 */
export function affectedBy<Query extends Omit<RunQuery, "count">>(action: BulkAction, query: Query): Query {
  const state = APPLIES_TO[action];
  const states = !query.states || query.states.includes(state) ? [state] : [];
  return { ...query, states, inDeadLetterQueue: action !== "cancel" };
}

/** A change of many runs. A resumption or a restart may change options of the runs. */
export type BulkChange = { readonly kind: "cancel" } | ResumeRequest;

/** Cancels, resumes or restarts the runs of one page of a query. */
export async function changeRuns(tx: Tx, query: RunQuery, change: BulkChange): Promise<BulkResult> {
  const affected = affectedBy(change.kind, query);
  const { rows, next } = page(await runRows(tx, affected), query.count, ({ key }) => key);
  const runs = rows.map(toRun);
  if (change.kind === "cancel") {
    for (const run of runs) await finishRun(tx, run, CANCELED);
    return { changed: runs.length, next };
  }
  const dlqIds = runs.flatMap(({ dlqId }) => dlqId ?? []);
  const resumed = await resumeRuns(tx, { dlqIds, count: query.count }, change);
  return { changed: resumed.runs.length, next };
}
