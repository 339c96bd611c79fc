import { limitReached } from "../rules/engine-error.ts";
import { DEFAULT_PARALLELISM } from "../rules/queue.ts";
import { queueOf } from "../store/tables/queues.ts";
import { sql, type Tx } from "../store/tx.ts";

/**
 * Creates a queue that doesn't exist. Until the transaction ends, no other one deletes it.
 *
 * @param most the most queues that may exist
 * @throws EngineError `limit_reached` when there are as many queues already
 */
export async function ensureQueue(
  tx: Tx,
  name: string,
  most: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  // Before the look at it: another transaction may be about to delete it.
  await tx.lock("queue", name);
  if (await queueOf(tx, name)) return;
  await tx.lock("setting", "queues");
  const counted = await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM queues`);
  if ((counted?.count ?? 0) >= most) throw limitReached("queue", most);
  await tx.run(
    sql`INSERT INTO queues (name, parallelism, paused, created_at, updated_at)
      VALUES (${name}, ${DEFAULT_PARALLELISM}, 0, ${tx.now}, ${tx.now}) ON CONFLICT (name) DO NOTHING`,
  );
}
