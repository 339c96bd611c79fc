import { DEFAULT_PARALLELISM, freePlaces, refuseQueue } from "../../domain/queue.ts";
import type { Database, Due } from "./database.ts";
import { PARKED } from "./flow.ts";

export interface QueueRow {
  readonly name: string;
  readonly parallelism: number;
  readonly paused: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export function queueOf(db: Database, name: string): QueueRow | undefined {
  return db.get<QueueRow>("SELECT * FROM queues WHERE name = ?", name);
}

/**
 * Has a queue exist.
 *
 * @param most how many there may be
 * @throws Problem 412
 */
export function ensureQueue(
  db: Database,
  name: string,
  now: number,
  most: number = Number.POSITIVE_INFINITY,
): void {
  if (queueOf(db, name)) return;
  const { count } = db.get<{ count: number }>("SELECT count(*) AS count FROM queues") as { count: number };
  if (count >= most) refuseQueue(most);
  db.run(
    "INSERT INTO queues (name, parallelism, paused, created_at, updated_at) VALUES (?, ?, 0, ?, ?)",
    name,
    DEFAULT_PARALLELISM,
    now,
    now,
  );
}

/** Puts a new message at the end of its queue: it isn't due before its turn. */
export function enterQueue(db: Database, seq: number, queue: string, now: number, due: Due): void {
  ensureQueue(db, queue, now);
  hold(db, seq);
  admitNext(db, queue, due);
}

/** Sets aside what was due, until its queue lets it go. */
export function hold(db: Database, seq: number): void {
  db.run("UPDATE messages SET held = due_at, due_at = ? WHERE seq = ?", PARKED, seq);
}

/** Whether nothing of this queue may begin now. */
export function isPaused(db: Database, queue: string): boolean {
  return queueOf(db, queue)?.paused === 1;
}

/** Gives free places to those who have waited longest. */
export function admitNext(db: Database, name: string, due: Due): void {
  const queue = queueOf(db, name);
  if (!queue) return;
  const free = freePlaces(
    { parallelism: queue.parallelism, paused: queue.paused === 1 },
    takenPlaces(db, name),
  );
  const next = db.all<{ seq: number; held: number }>(
    `SELECT seq, held FROM messages WHERE queue = ? AND held IS NOT NULL AND slot IS NULL AND due_at IS NOT NULL
     ORDER BY seq LIMIT ?`,
    name,
    free,
  );
  for (const { seq, held } of next) {
    db.run("UPDATE messages SET slot = seq, due_at = held, held = NULL WHERE seq = ?", seq);
    db.run("INSERT INTO slots (message, queue) VALUES (?, ?)", seq, name);
    due(held);
  }
}

/** Something that kept this place is at its end: if it was the last, the next in the queue has its turn. */
export function leavePlace(db: Database, slot: number, due: Due): void {
  const left = db.get("SELECT 1 FROM messages WHERE slot = ? AND due_at IS NOT NULL LIMIT 1", slot);
  if (left) return;
  db.run("UPDATE messages SET slot = NULL WHERE slot = ?", slot);
  const place = db.get<{ queue: string }>("DELETE FROM slots WHERE message = ? RETURNING queue", slot);
  if (place) admitNext(db, place.queue, due);
}

export function takenPlaces(db: Database, queue: string): number {
  const { count } = db.get<{ count: number }>(
    "SELECT count(*) AS count FROM slots WHERE queue = ?",
    queue,
  ) as {
    count: number;
  };
  return count;
}
