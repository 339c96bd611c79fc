import { LOWERCASE_HEADER } from "@perdure/core/protocol";
import type { Outcome } from "../rules/message-status.ts";
import type { Run } from "../rules/run.ts";
import type { CallbackState, DeadLetter, DeadLetterQuery, Page, RunLog, RunQuery } from "../store/lists.ts";
import { RUNS, type RunRow, toRun } from "../store/tables/rows.ts";
import { constants, numbers, POSITION, type Sql, sql, type Tx } from "../store/tx.ts";
import { Conditions, direction, page, whereMessage } from "./conditions.ts";
import { DEAD_LETTER, type DeadLetterRow, runLogs, toDeadLetters } from "./read.ts";
import { runConditions } from "./run-conditions.ts";

export async function runs(tx: Tx, query: RunQuery): Promise<Page<RunLog>> {
  const found = await runRows(tx, query);
  const lengths = await lengthsOf(tx, found);
  const { rows, next } = page(
    found,
    query.count,
    ({ key }) => key,
    ({ key }) => ({ entries: lengths.get(key) ?? 0 }),
  );
  return { items: await runLogs(tx, rows), next };
}

/** The numbers of entries in the histories of runs, by the runs' keys. */
async function lengthsOf(tx: Tx, runs: readonly RunRow[]): Promise<Map<number, number>> {
  const keys = numbers(runs.map(({ key }) => key));
  const rows = await tx.all<{ key: number; length: number }>(
    sql`SELECT key, coalesce((SELECT max(position) FROM entries WHERE run = key), 0) AS length FROM runs
      WHERE key IN (${keys})`,
  );
  return new Map(rows.map(({ key, length }) => [key, length]));
}

/** The newest runs that match, without their logs. */
export async function matchingRuns(tx: Tx, query: RunQuery): Promise<Run[]> {
  return (await runRows(tx, query)).slice(0, query.count).map(toRun);
}

const DELIVERED = constants<Outcome>("DELIVERED");

/** The rows of a page of runs, and one more if another page follows. */
export async function runRows(tx: Tx, query: RunQuery): Promise<RunRow[]> {
  const where = runConditions(query);
  where.after(sql`key`, query);
  return tx.many<RunRow>(sql`${RUNS} ${where.sql} ORDER BY key ${direction(query)} LIMIT ${query.count + 1}`);
}

/** Dead letters with their messages, runs and reports. */
export const LETTERS: Sql = sql`dlq JOIN messages ON messages.seq = dlq.message
  LEFT JOIN runs ON runs.key = dlq.run
  LEFT JOIN messages AS callback ON callback.seq = dlq.callback`;

/** The conditions of a query's filters on {@link LETTERS}, without the place of its page. */
export function deadLetterConditions(query: DeadLetterQuery): Conditions {
  const where = new Conditions();
  where.all(sql`dlq.removed = 0`);
  where.oneOf(sql`dlq.id`, query.dlqIds);
  where.oneOf(sql`dlq.fingerprint`, query.fingerprints);
  whereMessage(where, query);
  where.oneOf(sql`runs.id`, query.runIds);
  where.is(sql`runs.created_at =`, query.runCreatedAt);
  where.oneOf(sql`runs.url`, query.workflowUrls);
  where.oneOfNumbers(sql`coalesce(dlq.status, 0)`, query.statuses);
  where.anyOf(query.callbackStates && [...new Set(query.callbackStates)].map((state) => CALLBACK[state]));
  if (query.ofRuns) where.all(sql`dlq.run IS NOT NULL`);
  if (query.ofMessages) where.all(sql`dlq.run IS NULL`);
  where.is(sql`dlq.created_at >=`, query.from);
  where.is(sql`dlq.created_at <=`, query.to);
  return where;
}

export async function deadLetters(tx: Tx, query: DeadLetterQuery): Promise<Page<DeadLetter>> {
  const { rows, next } = await deadLetterRows(tx, query);
  return { items: await toDeadLetters(tx, rows), next };
}

/** The dead letters of {@link deadLetters} by one statement, so that none of them can have gone between two. */
export async function deadLetterRows(
  tx: Tx,
  query: DeadLetterQuery,
): Promise<{ readonly rows: readonly LetterRow[]; readonly next: number | undefined }> {
  const where = deadLetterConditions(query);
  where.after(sql`dlq.seq`, query);
  const rows = await tx.all<LetterRow>(
    sql`SELECT ${DEAD_LETTER}, runs.id AS run_id, coalesce(length(dlq.body), 0) + coalesce(length(messages.body), 0)
       + coalesce(length(entries.body), 0) AS bytes FROM ${LETTERS}
     LEFT JOIN entries ON entries.seq = messages.entry
     ${where.sql} ORDER BY dlq.seq ${direction(query)} LIMIT ${query.count + 1}`,
  );
  return page(
    rows,
    query.count,
    (row) => row.seq,
    ({ bytes }) => ({ bytes }),
  );
}

interface LetterRow extends DeadLetterRow {
  readonly run_id: string | null;
  readonly bytes: number;
}

const unhandled = sql`${POSITION}(lower(coalesce(callback.reply_headers, '')), ${`"${LOWERCASE_HEADER.noFailureFunction}"`}) > 0`;

/** The condition of each report state in SQL. */
const CALLBACK: Record<CallbackState, Sql> = {
  CALLBACK_INPROGRESS: sql`dlq.callback IS NOT NULL AND callback.outcome IS NULL`,
  CALLBACK_SUCCESS: sql`callback.outcome = ${DELIVERED} AND NOT ${unhandled}`,
  CALLBACK_FAIL: sql`callback.outcome = ${constants<Outcome>("FAILED")}`,
  CALLBACK_CANCELED: sql`callback.outcome = ${constants<Outcome>("CANCELLED")}`,
};
