import type { RunState } from "../rules/run.ts";
import type { Page, RunCounts, RunQuery, RunSummary } from "../store/lists.ts";
import { recordsOf } from "../store/tables/entries.ts";
import { type FailureRow, toFailure, toRun } from "../store/tables/rows.ts";
import { IS_LIVE } from "../store/tables/runs.ts";
import { numbers, sql, type Tx } from "../store/tx.ts";
import { page } from "./conditions.ts";
import { runRows } from "./lists.ts";
import { runConditions } from "./run-conditions.ts";

/** A page of runs without their steps: three statements, however many runs and steps there are. */
export async function runSummaries(tx: Tx, query: RunQuery): Promise<Page<RunSummary>> {
  const shown = page(await runRows(tx, query), query.count, (row) => row.key);
  const keys = shown.rows.map(({ key }) => key);
  const steps = await countSteps(tx, keys);
  const failures = await failuresOf(tx, keys);
  const items = shown.rows.map((row) => ({
    run: toRun(row),
    steps: steps.get(row.key) ?? 0,
    failure: failures.get(row.key),
  }));
  return { items, next: shown.next };
}

/** Counts all runs in two indexes, of the live ones and of those that have ended: the table itself is wide. */
const COUNT_ALL = sql`SELECT state, count(*) AS count FROM runs WHERE ${IS_LIVE} GROUP BY state
  UNION ALL SELECT state, count(*) AS count FROM runs WHERE completed_at IS NOT NULL GROUP BY state`;

/** Counts the runs that match, by their states. */
export async function countRuns(tx: Tx, query: Omit<RunQuery, "count">): Promise<RunCounts> {
  const where = runConditions({ ...query, count: 0 });
  const rows = await tx.all<{ state: RunState; count: number }>(
    where.isEmpty ? COUNT_ALL : sql`SELECT state, count(*) AS count FROM runs ${where.sql} GROUP BY state`,
  );
  const counts = { RUN_STARTED: 0, RUN_SUCCESS: 0, RUN_FAILED: 0, RUN_CANCELED: 0 };
  for (const { state, count } of rows) counts[state] = count;
  return counts;
}

/** Counts the steps of runs that have a result on record, in the index of the records. */
export async function countSteps(tx: Tx, runs: readonly number[]): Promise<Map<number, number>> {
  if (runs.length === 0) return new Map();
  const rows = await tx.all<{ run: number; count: number }>(
    sql`SELECT run, count(*) AS count FROM entries WHERE run IN (${numbers(runs)}) AND ${recordsOf("result")} GROUP BY run`,
  );
  return new Map(rows.map(({ run, count }) => [run, count]));
}

async function failuresOf(tx: Tx, runs: readonly number[]): Promise<Map<number, RunSummary["failure"]>> {
  if (runs.length === 0) return new Map();
  const rows = await tx.all<FailureRow & { readonly run: number }>(
    sql`SELECT run, created_at AS at, error, by_engine, status, headers, body FROM dlq WHERE run IN (${numbers(runs)})`,
  );
  return new Map(rows.map((row) => [row.run, toFailure(row)]));
}
