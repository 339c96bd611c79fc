import { begunAt, type FlowChange, type FlowControl, pin } from "../../domain/flow-control.ts";
import type { Flows, RoomWaiters } from "../controls.ts";
import type { Database, Due } from "./database.ts";
import { type FlowRow, flowOf, letGoAll, PARKED, toLimits } from "./flow.ts";
import type { Writer } from "./writer.ts";

/** Of a key that no message has named yet. */
const PERIOD = 1000;

/** Rows that are looked at to count who waits for room: however many there are, it takes milliseconds. */
const MOST = 10_000;

export function flowControl(db: Database, writer: Writer, due: Due): Flows {
  return {
    list: async (search, now) =>
      db
        .all<FlowRow>("SELECT * FROM flows WHERE instr(key, ?) > 0 ORDER BY key", search ?? "")
        .map((row) => toFlow(db, row, now)),
    get: async (key, now) => {
      const row = flowOf(db, key);
      return row && toFlow(db, row, now);
    },
    waitingForRoom: async (now) => waitingForRoom(db, now),
    change: (key, change, now) => writer.write(() => apply(db, key, change, now, due)),
  };
}

function toFlow(db: Database, row: FlowRow, now: number): FlowControl {
  const { active, waiting } = db.get<{ active: number; waiting: number }>(
    `SELECT
       (SELECT count(*) FROM messages WHERE flow_key IS NOT NULL AND flow_key = ?1 AND state = 'ACTIVE') AS active,
       (SELECT count(*) FROM messages WHERE flow_key = ?1 AND parked IS NOT NULL) AS waiting`,
    row.key,
  ) as { active: number; waiting: number };
  const limits = toLimits(row);
  const { began_at: beganAt, begun } = row;
  return {
    ...limits,
    key: row.key,
    paused: row.paused === 1,
    beganAt,
    begun: begunAt({ beganAt, begun, period: limits.period }, now),
    active,
    waiting,
  };
}

function waitingForRoom(db: Database, now: number): RoomWaiters {
  const count = (where: string, of: string, ...values: number[]): number =>
    db.get<{ count: number }>(
      `SELECT count(*) AS count FROM (SELECT flow_key, state, due_at FROM messages WHERE ${where} LIMIT ${MOST})
       WHERE flow_key IS NULL AND ${of}`,
      ...values,
    )?.count ?? 0;
  return {
    // With a lease that ran out it isn't room that a message waits for.
    due: count("due_at <= ?", "(state <> 'ACTIVE' OR due_at = 0)", now),
    aside: count("lane IS NOT NULL", `due_at = ${PARKED}`),
  };
}

function apply(db: Database, key: string, change: FlowChange, now: number, due: Due): boolean {
  if (!flowOf(db, key)) {
    if (change.kind !== "pause" && change.kind !== "pin") return false;
    db.run("INSERT INTO flows (key, period) VALUES (?, ?)", key, PERIOD);
  }
  db.run("UPDATE flows SET used_at = ? WHERE key = ?", now, key);
  const row = flowOf(db, key);
  if (!row) return false;
  switch (change.kind) {
    case "pause":
      db.run("UPDATE flows SET paused = 1, wake_at = NULL WHERE key = ?", key);
      return true;
    case "resume":
      db.run("UPDATE flows SET paused = 0 WHERE key = ?", key);
      break;
    case "pin":
      pinLimits(db, row, change);
      resetRate(db, key, now);
      break;
    case "unpin":
      if (change.parallelism) db.run("UPDATE flows SET pinned_parallelism = 0 WHERE key = ?", key);
      if (change.rate) db.run("UPDATE flows SET pinned_rate = 0 WHERE key = ?", key);
      return true;
    case "reset":
      resetRate(db, key, now);
      break;
    default:
      return change satisfies never;
  }
  if (letGoAll(db, key)) due(now);
  return true;
}

function pinLimits(db: Database, row: FlowRow, change: Extract<FlowChange, { kind: "pin" }>): void {
  const pinned = pin(toLimits(row), change);
  db.run(
    `UPDATE flows SET parallelism = ?, rate = ?, period = ?, pinned_parallelism = ?, pinned_rate = ?
     WHERE key = ?`,
    pinned.parallelism ?? null,
    pinned.rate ?? null,
    pinned.period,
    pinned.pinnedParallelism ? 1 : 0,
    pinned.pinnedRate ? 1 : 0,
    row.key,
  );
}

function resetRate(db: Database, key: string, now: number): void {
  db.run("UPDATE flows SET began_at = ?, begun = 0, wake_at = NULL WHERE key = ?", now, key);
}
