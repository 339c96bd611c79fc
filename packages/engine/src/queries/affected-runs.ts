import type { Run, RunState } from "../rules/run.ts";
import type { BulkAction, Page, RunQuery } from "../store/lists.ts";
import { toRun } from "../store/tables/rows.ts";
import type { Tx } from "../store/tx.ts";
import { page } from "./conditions.ts";
import { runRows } from "./lists.ts";

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

/** A page of the runs that an action would change. */
export async function affectedRuns(
  tx: Tx,
  action: BulkAction,
  query: RunQuery,
): Promise<Page<Pick<Run, "id" | "createdAt">>> {
  const { rows, next } = page(await runRows(tx, affectedBy(action, query)), query.count, ({ key }) => key);
  return { items: rows.map(toRun).map(({ id, createdAt }) => ({ id, createdAt })), next };
}
