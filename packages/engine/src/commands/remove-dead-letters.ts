import { notFound } from "../rules/engine-error.ts";
import type { DeadLetterQuery, RemovedDeadLetters } from "../store/lists.ts";
import { sql, type Tx } from "../store/tx.ts";
import { deleteUnreferenced } from "./delete-messages.ts";
import { lockDeadLetters } from "./lock-dead-letters.ts";

/** Takes the dead letters that match out of the queue. */
export async function removeDeadLetters(tx: Tx, query: DeadLetterQuery): Promise<RemovedDeadLetters> {
  const { items, next } = await lockDeadLetters(tx, query);
  for (const { dlqId, run } of items) await removeDeadLetter(tx, { id: dlqId, run: run?.key ?? null });
  return { removed: items.length, next };
}

/**
 * Takes one dead letter out of the queue.
 *
 * @param ofRun true to find only the dead letter of a run
 * @throws EngineError `not_found`
 */
export async function removeOneDeadLetter(tx: Tx, id: string, ofRun: boolean): Promise<void> {
  const { removed } = await removeDeadLetters(tx, { dlqIds: [id], count: 1, ofRuns: ofRun });
  if (removed === 0) throw notFound(`dead letter ${id}`);
}

/** The dead letter of a run, or of a message that belongs to none. */
export interface DeadLetterKey {
  readonly id: string;
  readonly run: number | null;
}

/** Takes a dead letter out of the queue. The row of a run's dead letter stays: the run's log tells how the run ended. */
export async function removeDeadLetter(tx: Tx, { id, run }: DeadLetterKey): Promise<void> {
  if (run === null) {
    await deleteDeadLetter(tx, id);
    return;
  }
  await tx.run(sql`UPDATE dlq SET removed = 1 WHERE id = ${id}`);
  await tx.run(sql`UPDATE runs SET dlq_id = NULL WHERE key = ${run}`);
}

/** Deletes the dead letter of a message, with its message and report unless something else refers to them. */
export async function deleteDeadLetter(tx: Tx, id: string): Promise<void> {
  const row = await tx.one<{ message: number; callback: number | null }>(
    sql`DELETE FROM dlq WHERE id = ${id} RETURNING message, callback`,
  );
  if (row) await deleteUnreferenced(tx, row.callback === null ? [row.message] : [row.message, row.callback]);
}
