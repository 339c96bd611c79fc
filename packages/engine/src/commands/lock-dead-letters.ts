import { deadLetterRows, deadLetters } from "../queries/lists.ts";
import type { DeadLetter, DeadLetterQuery, Page } from "../store/lists.ts";
import { lockAll, numbers, sql, type Tx } from "../store/tx.ts";

/**
 * The dead letters that match, with their locks and those of their runs: until the transaction ends, no other one takes them
 * out of the queue, acts on their runs, or retries their reports.
 */
export async function lockDeadLetters(tx: Tx, query: DeadLetterQuery): Promise<Page<DeadLetter>> {
  const { rows, next } = await deadLetterRows(tx, query);
  if (rows.length === 0) return { items: [], next };
  const dlqIds = rows.map(({ id }) => id);
  // A report that has failed is a dead letter itself: a retry of it changes the one that it reports, too.
  const reported = await tx.all<{ id: string }>(
    sql`SELECT id FROM dlq WHERE callback IN (${numbers(rows.map(({ message }) => message))})`,
  );
  const letters = [...dlqIds, ...reported.map(({ id }) => id)];
  await lockAll(tx, { letter: letters, run: rows.map(({ run_id }) => run_id) });
  // Another transaction may have taken some of them before the locks.
  const { items } = await deadLetters(tx, { ...query, dlqIds, before: undefined });
  return { items, next };
}
