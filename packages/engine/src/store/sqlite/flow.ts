import type { FlowLimit } from "../../domain/flow.ts";
import type { Database } from "./database.ts";

/** The time at which a message is due that waits for its key to admit it: never, until it is let go. */
export const PARKED: number = Number.MAX_SAFE_INTEGER;

/** Enough to fill what has become free; the rest follows as these come to their end. */
const MOST = 1000;

interface FlowRow {
  readonly parallelism: number | null;
  readonly rate: number | null;
  readonly period: number;
  readonly began_at: number;
  readonly begun: number;
  readonly wake_at: number | null;
}

/** The latest limits count, for those too that wait already. */
export function configureFlow(db: Database, { key, parallelism, rate, period }: FlowLimit): void {
  const old = flowOf(db, key);
  const limits = [parallelism ?? null, rate ?? null, period] as const;
  if (old && old.parallelism === limits[0] && old.rate === limits[1] && old.period === limits[2]) return;
  db.run(
    `INSERT INTO flows (key, parallelism, rate, period) VALUES (?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET parallelism = excluded.parallelism, rate = excluded.rate,
       period = excluded.period, wake_at = NULL`,
    key,
    ...limits,
  );
  if (old) unpark(db, key, MOST);
}

/** Whether a delivery with this key may begin now; if so, it counts. */
export function admit(db: Database, key: string, now: number): boolean {
  const flow = flowOf(db, key);
  if (!flow) return true;
  if (flow.parallelism !== null && active(db, key, flow.parallelism) >= flow.parallelism) return false;
  if (flow.rate === null) return true;
  const over = now >= flow.began_at + flow.period;
  const begun = over ? 0 : flow.begun;
  if (begun >= flow.rate) {
    db.run("UPDATE flows SET wake_at = ? WHERE key = ?", flow.began_at + flow.period, key);
    return false;
  }
  const beganAt = over ? now : flow.began_at;
  db.run("UPDATE flows SET began_at = ?, begun = ? WHERE key = ?", beganAt, begun + 1, key);
  return true;
}

/** Has a message wait, in the order in which such messages came due, until its key admits it. */
export function park(db: Database, seq: number): void {
  db.run("UPDATE messages SET parked = due_at, due_at = ? WHERE seq = ?", PARKED, seq);
}

/** Something with this key is no longer under way, or no longer due: those that wait for it are due again. */
export function letGo(db: Database, key: string | null): boolean {
  const flow = key === null ? undefined : flowOf(db, key);
  // For the next period there is a time of its own.
  if (key === null || !flow || flow.wake_at !== null) return false;
  const free = flow.parallelism === null ? MOST : flow.parallelism - active(db, key, flow.parallelism);
  return unpark(db, key, Math.min(free, MOST));
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

function flowOf(db: Database, key: string): FlowRow | undefined {
  return db.get<FlowRow>(
    "SELECT parallelism, rate, period, began_at, begun, wake_at FROM flows WHERE key = ?",
    key,
  );
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
