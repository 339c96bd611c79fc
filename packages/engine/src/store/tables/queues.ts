import { sql, type Tx } from "../tx.ts";

export interface QueueRow {
  readonly name: string;
  readonly parallelism: number;
  readonly paused: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export async function queueOf(tx: Tx, name: string): Promise<QueueRow | undefined> {
  return await tx.one<QueueRow>(sql`SELECT * FROM queues WHERE name = ${name}`);
}

/** Whether a queue is paused: no delivery of its messages begins. */
export async function isQueuePaused(tx: Tx, name: string): Promise<boolean> {
  return (await queueOf(tx, name))?.paused === 1;
}

/** The places of a queue that messages keep. */
export async function countTakenPlaces(tx: Tx, queue: string): Promise<number> {
  const row = await tx.one<{ count: number }>(
    sql`SELECT count(*) AS count FROM places WHERE queue = ${queue}`,
  );
  return row?.count ?? 0;
}
