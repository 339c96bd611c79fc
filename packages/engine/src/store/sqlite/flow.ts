import type { FlowLimit } from "../../domain/flow.ts";
import { adopt, begunAt, type FlowControl } from "../../domain/flow-control.ts";
import type { Database } from "./database.ts";

/** The time at which a message is due that waits for its key to admit it: never, until it is let go. */
export const PARKED: number = Number.MAX_SAFE_INTEGER;

/** Enough to fill what has become free; the rest follows as these come to their end. */
const MOST = 1000;

export interface FlowRow {
  readonly key: string;
  readonly parallelism: number | null;
  readonly rate: number | null;
  readonly period: number;
  readonly began_at: number;
  readonly begun: number;
  readonly wake_at: number | null;
  readonly paused: number;
  readonly pinned_parallelism: number;
  readonly pinned_rate: number;
  /** Up to {@link GRAIN} too early. */
  readonly used_at: number;
}

/** Milliseconds within which another use of a key isn't noted: not every message should have to. */
const GRAIN = 60_000;

/** The latest limits count, for those too that wait already, but for what is pinned. @returns whether any may be due */
export function configureFlow(db: Database, limit: FlowLimit, now: number): boolean {
  const { key } = limit;
  const old = flowOf(db, key);
  if (old) noteUse(db, old, now);
  const { parallelism = null, rate = null, period } = old ? adopt(toLimits(old), limit) : limit;
  if (old && old.parallelism === parallelism && old.rate === rate && old.period === period) return false;
  db.run(
    `INSERT INTO flows (key, parallelism, rate, period, used_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET parallelism = excluded.parallelism, rate = excluded.rate,
       period = excluded.period, wake_at = NULL`,
    key,
    parallelism,
    rate,
    period,
    now,
  );
  return old !== undefined && letGoAll(db, key);
}

/** Whether nothing with this key may begin now. */
export function isFlowPaused(db: Database, key: string): boolean {
  return flowOf(db, key)?.paused === 1;
}

/** Whether a delivery with this key may begin now; if so, it counts. */
export function admit(db: Database, key: string, now: number): boolean {
  const flow = flowOf(db, key);
  if (!flow) return true;
  if (flow.paused === 1) return false;
  if (flow.parallelism !== null && active(db, key, flow.parallelism) >= flow.parallelism) return false;
  noteUse(db, flow, now);
  if (flow.rate === null) return true;
  const over = now >= flow.began_at + flow.period;
  const begun = begunAt({ beganAt: flow.began_at, begun: flow.begun, period: flow.period }, now);
  if (begun >= flow.rate) {
    db.run("UPDATE flows SET wake_at = ? WHERE key = ?", flow.began_at + flow.period, key);
    return false;
  }
  const beganAt = over ? now : flow.began_at;
  db.run("UPDATE flows SET began_at = ?, begun = ? WHERE key = ?", beganAt, begun + 1, key);
  return true;
}

function noteUse(db: Database, { key, used_at }: FlowRow, now: number): void {
  if (now >= used_at + GRAIN) db.run("UPDATE flows SET used_at = ? WHERE key = ?", now, key);
}

/**
 * Forgets keys that nobody has used, and whose period was over, by `until`, but for what is paused or pinned: that
 * somebody has said by hand.
 *
 * @returns how many were looked at: `limit` at most
 */
export function sweepFlows(db: Database, until: number, now: number, limit: number): number {
  const rows = db.all<{ key: string; live: number }>(
    `SELECT key, EXISTS (SELECT 1 FROM messages
         WHERE flow_key IS NOT NULL AND flow_key = flows.key AND state IN ('CREATED', 'ACTIVE', 'RETRY')) AS live
     FROM flows WHERE used_at <= ? AND began_at + period <= ?
       AND paused = 0 AND pinned_parallelism = 0 AND pinned_rate = 0
     ORDER BY used_at LIMIT ?`,
    until - GRAIN,
    until,
    limit,
  );
  for (const { key, live } of rows) {
    // Whoever sleeps for long isn't looked at again each minute.
    if (live === 1) db.run("UPDATE flows SET used_at = ? WHERE key = ?", now, key);
    else db.run("DELETE FROM flows WHERE key = ?", key);
  }
  return rows.length;
}

/** Has a message wait, in the order in which such messages came due, until its key admits it. */
export function park(db: Database, seq: number): void {
  db.run("UPDATE messages SET parked = due_at, due_at = ? WHERE seq = ?", PARKED, seq);
}

/** Something with this key is no longer under way, or no longer due: those that wait for it are due again. */
export function letGo(db: Database, key: string | null): boolean {
  const flow = key === null ? undefined : flowOf(db, key);
  // For the next period there is a time of its own.
  if (key === null || !flow || flow.wake_at !== null || flow.paused === 1) return false;
  const free = flow.parallelism === null ? MOST : flow.parallelism - active(db, key, flow.parallelism);
  return unpark(db, key, Math.min(free, MOST));
}

/** The key may admit more than before: all that wait for it are due again, as far as it isn't paused. */
export function letGoAll(db: Database, key: string): boolean {
  return flowOf(db, key)?.paused === 1 ? false : unpark(db, key, MOST);
}

/** Lets go those for which a new period has begun. */
export function wakeFlows(db: Database, now: number): void {
  const keys = db.all<{ key: string; rate: number | null }>(
    "SELECT key, rate FROM flows WHERE wake_at <= ?",
    now,
  );
  for (const { key, rate } of keys) {
    db.run("UPDATE flows SET wake_at = NULL WHERE key = ?", key);
    // One more than the rate: it will not be admitted, and so has the next period be waited for.
    unpark(db, key, Math.min(rate ?? MOST, MOST) + 1);
  }
}

/** When the next period begins that something waits for. */
export function nextWake(db: Database): number | undefined {
  return db.get<{ at: number }>(
    "SELECT wake_at AS at FROM flows WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1",
  )?.at;
}

/** After a restart nothing is under way. */
export function letAllGo(db: Database): void {
  const keys = db.all<{ key: string }>(
    "SELECT DISTINCT flow_key AS key FROM messages WHERE parked IS NOT NULL",
  );
  for (const { key } of keys) letGo(db, key);
}

export function toLimits(
  row: FlowRow,
): Pick<FlowControl, "parallelism" | "rate" | "period" | "pinnedParallelism" | "pinnedRate"> {
  return {
    parallelism: row.parallelism ?? undefined,
    rate: row.rate ?? undefined,
    period: row.period,
    pinnedParallelism: row.pinned_parallelism === 1,
    pinnedRate: row.pinned_rate === 1,
  };
}

export function flowOf(db: Database, key: string): FlowRow | undefined {
  return db.get<FlowRow>("SELECT * FROM flows WHERE key = ?", key);
}

/** How many with this key are under way, up to `most`. */
function active(db: Database, key: string, most: number): number {
  const { count } = db.get<{ count: number }>(
    `SELECT count(*) AS count FROM
       (SELECT 1 FROM messages WHERE flow_key IS NOT NULL AND flow_key = ? AND state = 'ACTIVE' LIMIT ?)`,
    key,
    most,
  ) as { count: number };
  return count;
}

function unpark(db: Database, key: string, count: number): boolean {
  const { changes } = db.run(
    `UPDATE messages SET due_at = parked, parked = NULL WHERE seq IN
       (SELECT seq FROM messages WHERE flow_key = ? AND parked IS NOT NULL ORDER BY parked, seq LIMIT ?)`,
    key,
    Math.max(0, count),
  );
  return changes > 0;
}
