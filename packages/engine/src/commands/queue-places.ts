import { STATUS } from "../rules/message-status.ts";
import { freePlaces } from "../rules/queue.ts";
import { letGoOn } from "../store/tables/due.ts";
import { countTakenPlaces, queueOf } from "../store/tables/queues.ts";
import { sql, type Tx } from "../store/tx.ts";

/** The queue that a place belongs to; `null` for none. */
export async function queueOfPlace(tx: Tx, place: number | null): Promise<string | null> {
  if (place === null) return null;
  const kept = await tx.one<{ queue: string }>(sql`SELECT queue FROM places WHERE message = ${place}`);
  return kept?.queue ?? null;
}

/** Gives the free places of a queue to the messages that have waited longest. */
export async function givePlaces(tx: Tx, name: string): Promise<void> {
  await tx.lock("queue", name);
  const queue = await queueOf(tx, name);
  if (!queue) return;
  const { parallelism, paused } = queue;
  const free = freePlaces({ parallelism, paused: paused === 1 }, await countTakenPlaces(tx, name));
  const next = await tx.all<{ message: number; since: number }>(
    sql`SELECT message, since FROM due WHERE queue = ${name} AND status = ${STATUS.queued} AND place IS NULL
      ORDER BY message LIMIT ${free}`,
  );
  for (const { message, since } of next) {
    tx.send(sql`UPDATE due SET ${letGoOn("dequeue")}, place = message WHERE message = ${message}`);
    tx.send(sql`INSERT INTO places (message, queue) VALUES (${message}, ${name})`);
    tx.wakeAt(since);
  }
}

/** Frees a place once neither its message nor a callback of it keeps it, and gives it to the next message. */
export async function leavePlace(tx: Tx, place: number): Promise<void> {
  // Two callbacks of a message may end at once: the second one sees that the first has ended.
  const queue = await queueOfPlace(tx, place);
  if (queue !== null) await tx.lock("queue", queue);
  if (await tx.one(sql`SELECT 1 FROM due WHERE place = ${place} LIMIT 1`)) return;
  const left = await tx.one<{ queue: string }>(
    sql`DELETE FROM places WHERE message = ${place} RETURNING queue`,
  );
  if (left) await givePlaces(tx, left.queue);
}
