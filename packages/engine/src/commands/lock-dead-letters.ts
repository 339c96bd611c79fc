import { deadLetterRows, deadLetters } from "../queries/lists.ts";
import type { DeadLetter, DeadLetterQuery, Page } from "../store/lists.ts";
import { lockAll, type Tx } from "../store/tx.ts";

/**
 * The dead letters that match, with their locks and those of their runs: until the transaction ends, no other one takes them
 * out of the queue, or acts on their runs.
 */
export async function lockDeadLetters(tx: Tx, query: DeadLetterQuery): Promise<Page<DeadLetter>> {
  const { rows, next } = await deadLetterRows(tx, query);
  if (rows.length === 0) return { items: [], next };
  const dlqIds = rows.map(({ id }) => id);
  await lockAll(tx, { letter: dlqIds, run: rows.map(({ run_id }) => run_id) });
  // Another transaction may have taken some of them before the locks.
  const { items } = await deadLetters(tx, { ...query, dlqIds, before: undefined });
  return { items, next };
}
