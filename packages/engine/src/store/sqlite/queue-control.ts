import { DEFAULT_PARALLELISM, type Queue, type QueueChange } from "../../domain/queue.ts";
import type { Queues } from "../controls.ts";
import type { Database, Due } from "./database.ts";
import { letGo, PARKED } from "./flow.ts";
import { logStates } from "./log.ts";
import { admitNext, ensureQueue, type QueueRow, queueOf, takenPlaces } from "./queues.ts";
import { recordTickState } from "./schedules.ts";
import type { Writer } from "./writer.ts";

export function queueControl(db: Database, writer: Writer, due: Due): Queues {
  return {
    list: async () => db.all<QueueRow>("SELECT * FROM queues ORDER BY name").map((row) => toQueue(db, row)),
    get: async (name) => {
      const row = queueOf(db, name);
      return row && toQueue(db, row);
    },
    put: (change, limits, now) => writer.write(() => put(db, change, limits.queues, now, due)),
    pause: (name, paused, now) => writer.write(() => pause(db, name, paused, now, due)),
    delete: (name, now) => writer.write(() => remove(db, name, now, due)),
  };
}

function toQueue(db: Database, row: QueueRow): Queue {
  const { lag } = db.get<{ lag: number }>(
    "SELECT count(*) AS lag FROM messages WHERE queue = ? AND due_at IS NOT NULL",
    row.name,
  ) as { lag: number };
  return {
    name: row.name,
    parallelism: row.parallelism,
    paused: row.paused === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lag,
  };
}

function put(db: Database, change: QueueChange, most: number, now: number, due: Due): void {
  ensureQueue(db, change.name, now, most);
  const old = queueOf(db, change.name);
  const parallelism = change.parallelism ?? old?.parallelism ?? DEFAULT_PARALLELISM;
  db.run("UPDATE queues SET parallelism = ?, updated_at = ? WHERE name = ?", parallelism, now, change.name);
  giveBack(db, change.name, parallelism);
  const paused = change.paused ?? old?.paused === 1;
  pause(db, change.name, paused, now, due);
}

function pause(db: Database, name: string, paused: boolean, now: number, due: Due): boolean {
  const { changes } = db.run(
    "UPDATE queues SET paused = ?, updated_at = ? WHERE name = ?",
    paused ? 1 : 0,
    now,
    name,
  );
  if (changes > 0 && !paused) {
    const { changes: freed } = db.run(
      `UPDATE messages SET due_at = held, held = NULL
       WHERE held IS NOT NULL AND slot = seq AND slot IN (SELECT message FROM slots WHERE queue = ?)`,
      name,
    );
    if (freed > 0) due(now);
    admitNext(db, name, due);
  }
  return changes > 0;
}

/** With fewer places, those that were given last and haven't been used go back. */
function giveBack(db: Database, name: string, parallelism: number): void {
  const over = takenPlaces(db, name) - parallelism;
  if (over <= 0) return;
  const unused = db.all<{ seq: number }>(
    `SELECT seq FROM messages WHERE slot IN (SELECT message FROM slots WHERE queue = ?)
       AND slot = seq AND state = 'CREATED' AND fence = 0 ORDER BY seq DESC LIMIT ?`,
    name,
    over,
  );
  for (const { seq } of unused) {
    db.run("DELETE FROM slots WHERE message = ?", seq);
    db.run(
      `UPDATE messages SET held = coalesce(held, parked, due_at), parked = NULL, slot = NULL, due_at = ?
       WHERE seq = ?`,
      PARKED,
      seq,
    );
  }
}

/** What isn't being delivered just now is cancelled; what is goes on without a queue. */
function remove(db: Database, name: string, now: number, due: Due): void {
  const waiting = "queue = ? AND due_at IS NOT NULL AND state <> 'ACTIVE'";
  const keys = db.all<{ flow_key: string }>(
    `SELECT DISTINCT flow_key FROM messages WHERE ${waiting} AND flow_key IS NOT NULL`,
    name,
  );
  const ofSchedules = db.all<{ id: string; schedule: string }>(
    `SELECT id, schedule FROM messages WHERE ${waiting} AND schedule IS NOT NULL`,
    name,
  );
  for (const state of ["CANCEL_REQUESTED", "CANCELLED"] as const) logStates(db, state, now, waiting, name);
  db.run(
    `UPDATE messages SET state = 'CANCELLED', due_at = NULL, parked = NULL, held = NULL, forget_at = ?
     WHERE ${waiting}`,
    now,
    name,
  );
  db.run("UPDATE messages SET queue = NULL WHERE queue = ? AND due_at IS NOT NULL", name);
  db.run("UPDATE messages SET slot = NULL WHERE slot IN (SELECT message FROM slots WHERE queue = ?)", name);
  db.run("DELETE FROM slots WHERE queue = ?", name);
  db.run("DELETE FROM queues WHERE name = ?", name);
  for (const { id, schedule } of ofSchedules) recordTickState(db, schedule, id, "FAIL");
  for (const { flow_key } of keys) if (letGo(db, flow_key)) due(now);
}
