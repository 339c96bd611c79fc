import type { InlineAnswer } from "@perdure/core/protocol";
import type { AppendInline } from "../rules/inline-append.ts";
import type { RunState } from "../rules/run.ts";
import type { InProgress, RunLease } from "../rules/run-lease.ts";
import { type RunRow, toRun } from "../store/tables/rows.ts";
import { IS_LIVE } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import { insertInline, lockWithChildren } from "./insert-inline.ts";

/**
 * Appends the records of an invocation to its run's history, if the invocation still has the right to: the lease is
 * checked by the statement that reads the run, in this transaction. Repeating an append changes nothing, and gets the
 * same answer.
 *
 * @throws EngineError when the records can't be accepted
 */
export async function appendInline(
  tx: Tx,
  { lease, underWay, ...records }: AppendInline,
): Promise<InlineAnswer> {
  const { runId, createdAt, number } = lease;
  await lockWithChildren(tx, runId, records.entries);
  const inProgress: InProgress = { lease: number, steps: underWay };
  const row = await tx.one<RunRow & { readonly last: number }>(
    sql`UPDATE runs SET inline = 1, in_progress = ${JSON.stringify(inProgress)}
      WHERE id = ${runId} AND created_at = ${createdAt} AND lease = ${number} AND holder IS NOT NULL
        AND ${IS_LIVE}
      RETURNING *, (SELECT max(position) FROM entries WHERE run = runs.key) AS last`,
  );
  if (!row) return refusal(tx, lease);
  tx.count({ of: "inline", state: "appends", count: 1 });
  return { news: await insertInline(tx, toRun(row), row.last, records) };
}

async function refusal(tx: Tx, { runId, createdAt }: RunLease): Promise<InlineAnswer> {
  const run = await tx.one<{ state: RunState }>(
    sql`SELECT state FROM runs WHERE id = ${runId} AND created_at = ${createdAt}`,
  );
  if (run && run.state !== "RUN_STARTED") return { error: "run_over", state: run.state };
  tx.count({ of: "inline", state: "lease_lost", count: 1 });
  return { error: "lease_lost" };
}
