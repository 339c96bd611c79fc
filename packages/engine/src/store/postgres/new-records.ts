import { insertStepEntry, STEP_ENTRY, type StepRow } from "../tables/entries.ts";
import { type Part, type Sql, sql } from "../tx.ts";
import { rowOf, toTable } from "./for-each.ts";

/** An entry with the place of its run in `found`, and its own among those of the run. */
const RECORD = { at: "number", nth: "number", ...STEP_ENTRY } as const;
const ENTRY = { ...rowOf(RECORD, "record"), run: sql`record.run`, position: sql`record.position` };

/**
 * The query `records` of a statement that has looked for runs in a query `found`: their new entries, each with its place in the
 * history and whether the history has its key. A query for each key costs a fourth of one for all keys of a run.
 *
 * @param histories the new entries of each run, by its place
 */
export function newRecords(histories: readonly (readonly StepRow[])[]): Sql {
  const rows = histories.flatMap((entries, at) =>
    entries.map((entry, place) => ({ at, nth: place + 1, ...entry })),
  );
  return sql`SELECT found.run, found.after + record."nth" AS position, record.*,
      (SELECT 1 FROM entries WHERE run = found.run AND entries.record = record."key") AS repeated
    FROM ${toTable(RECORD, rows, "record")} JOIN found ON found.at = record."at"`;
}

/** The condition on `each`, a row of `found`, that the history of its run has none of the keys of its new entries. */
export const HAS_NEW_KEYS = sql`each.at NOT IN (SELECT at FROM records WHERE repeated IS NOT NULL)`;

/** Inserts the new entries of the runs that are left in a query `held`. */
export function insertRecords(createdAt: Part): Sql {
  return sql`${insertStepEntry(ENTRY, createdAt)} FROM held JOIN records AS record ON record.at = held.at
    ORDER BY record.at, record.nth`;
}
