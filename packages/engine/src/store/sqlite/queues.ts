import { DEFAULT_PARALLELISM, freePlaces, refuseQueue } from "../../domain/queue.ts";
import { sql, type Tx } from "../tx.ts";
import { PARKED } from "./flow.ts";

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
 * Has a queue exist.
 *
 * @param most how many there may be
 * @throws Problem 412
 */
export async function ensureQueue(
  tx: Tx,
  name: string,
  now: number,
  most: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  if (await queueOf(tx, name)) return;
  const { count } = (await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM queues`)) as {
    count: number;
  };
  if (count >= most) refuseQueue(most);
  await tx.run(
    sql`INSERT INTO queues (name, parallelism, paused, created_at, updated_at) VALUES (${name}, ${DEFAULT_PARALLELISM}, 0, ${now}, ${now})`,
  );
}

/** Puts a new message at the end of its queue: it isn't due before its turn. */
export async function enterQueue(tx: Tx, seq: number, queue: string, now: number): Promise<void> {
  await ensureQueue(tx, queue, now);
  await hold(tx, seq);
  await admitNext(tx, queue);
}

/** Sets aside what was due, until its queue lets it go. */
export async function hold(tx: Tx, seq: number): Promise<void> {
  await tx.run(sql`UPDATE messages SET held = due_at, due_at = ${PARKED} WHERE seq = ${seq}`);
}

/** Whether nothing of this queue may begin now. */
export async function isPaused(tx: Tx, queue: string): Promise<boolean> {
  return (await queueOf(tx, queue))?.paused === 1;
}

/** Gives free places to those who have waited longest. */
export async function admitNext(tx: Tx, name: string): Promise<void> {
  const queue = await queueOf(tx, name);
  if (!queue) return;
  const free = freePlaces(
    { parallelism: queue.parallelism, paused: queue.paused === 1 },
    await takenPlaces(tx, name),
  );
  const next = await tx.all<{
    seq: number;
    held: number;
  }>(sql`SELECT seq, held FROM messages WHERE queue = ${name} AND held IS NOT NULL AND slot IS NULL AND due_at IS NOT NULL
     ORDER BY seq LIMIT ${free}`);
  for (const { seq, held } of next) {
    await tx.run(sql`UPDATE messages SET slot = seq, due_at = held, held = NULL WHERE seq = ${seq}`);
    await tx.run(sql`INSERT INTO slots (message, queue) VALUES (${seq}, ${name})`);
    tx.wakeAt(held);
  }
}

/** Something that kept this place is at its end: if it was the last, the next in the queue has its turn. */
export async function leavePlace(tx: Tx, slot: number): Promise<void> {
  const left = await tx.one(sql`SELECT 1 FROM messages WHERE slot = ${slot} AND due_at IS NOT NULL LIMIT 1`);
  if (left) return;
  await tx.run(sql`UPDATE messages SET slot = NULL WHERE slot = ${slot}`);
  const place = await tx.one<{ queue: string }>(
    sql`DELETE FROM slots WHERE message = ${slot} RETURNING queue`,
  );
  if (place) await admitNext(tx, place.queue);
}

export async function takenPlaces(tx: Tx, queue: string): Promise<number> {
  const { count } = (await tx.one<{ count: number }>(
    sql`SELECT count(*) AS count FROM slots WHERE queue = ${queue}`,
  )) as {
    count: number;
  };
  return count;
}
