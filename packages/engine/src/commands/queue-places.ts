import { limitReached } from "../rules/engine-error.ts";
import { DEFAULT_PARALLELISM, freePlaces } from "../rules/queue.ts";
import { RESUME, suspend } from "../store/tables/due.ts";
import { sql, type Tx } from "../store/tx.ts";

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

/**
 * Creates a queue unless it exists.
 *
 * @param most how many there may be
 * @throws EngineError `limit_reached`
 */
export async function ensureQueue(
  tx: Tx,
  name: string,
  most: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  if (await queueOf(tx, name)) return;
  const { count } = (await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM queues`)) as {
    count: number;
  };
  if (count >= most) throw limitReached("queue", most);
  await tx.run(
    sql`INSERT INTO queues (name, parallelism, paused, created_at, updated_at) VALUES (${name}, ${DEFAULT_PARALLELISM}, 0, ${tx.now}, ${tx.now})`,
  );
}

/** Gives a new message of a queue its turn, if it is its turn: it isn't due before. */
export async function enterQueue(tx: Tx, queue: string): Promise<void> {
  await ensureQueue(tx, queue);
  await admitNext(tx, queue);
}

/** Sets aside what was due, until its queue lets it go. */
export async function enqueue(tx: Tx, seq: number): Promise<void> {
  await tx.run(sql`UPDATE due SET ${suspend("enqueue")} WHERE message = ${seq}`);
}

/** Whether nothing of this queue may begin now. */
export async function isPaused(tx: Tx, queue: string): Promise<boolean> {
  return (await queueOf(tx, queue))?.paused === 1;
}

/** Gives free places to those who have waited longest. */
export async function admitNext(tx: Tx, name: string): Promise<void> {
  await tx.lock("queue", name);
  const queue = await queueOf(tx, name);
  if (!queue) return;
  const free = freePlaces(
    { parallelism: queue.parallelism, paused: queue.paused === 1 },
    await takenPlaces(tx, name),
  );
  const next = await tx.all<{ message: number; since: number }>(
    sql`SELECT message, since FROM due WHERE queue = ${name} AND status = 'queued' AND place IS NULL
      ORDER BY message LIMIT ${free}`,
  );
  for (const { message, since } of next) {
    await tx.run(sql`UPDATE due SET ${RESUME}, place = message WHERE message = ${message}`);
    await tx.run(sql`INSERT INTO places (message, queue) VALUES (${message}, ${name})`);
    tx.wakeAt(since);
  }
}

/** Something that kept this place is at its end: if it was the last, the next in the queue has its turn. */
export async function leavePlace(tx: Tx, place: number): Promise<void> {
  if (await tx.one(sql`SELECT 1 FROM due WHERE place = ${place} LIMIT 1`)) return;
  const left = await tx.one<{ queue: string }>(
    sql`DELETE FROM places WHERE message = ${place} RETURNING queue`,
  );
  if (left) await admitNext(tx, left.queue);
}

export async function takenPlaces(tx: Tx, queue: string): Promise<number> {
  const { count } = (await tx.one<{ count: number }>(
    sql`SELECT count(*) AS count FROM places WHERE queue = ${queue}`,
  )) as {
    count: number;
  };
  return count;
}
