import type { FlowLimit } from "../rules/flow.ts";
import { adopt, begunAt, type FlowControl } from "../rules/flow-control.ts";
import type { Expiry } from "../rules/retention.ts";
import { RESUME, suspend } from "../store/tables/due.ts";
import { type Sql, sql, type Tx } from "../store/tx.ts";

/** Enough to fill what has become free; the rest follows as these come to their end. */
const MAX_RELEASED_AT_ONCE = 1000;

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
  /** Up to {@link USED_AT_PRECISION} too early. */
  readonly used_at: number;
}

/** Milliseconds within which another use of a key isn't noted: not every message should have to. */
const USED_AT_PRECISION = 60_000;

/** The latest limits count, for those too that wait already, but for what is pinned. @returns whether any may be due */
export async function configureFlow(tx: Tx, limit: FlowLimit): Promise<boolean> {
  const { key } = limit;
  await tx.lock("flow", key);
  const old = await flowOf(tx, key);
  if (old) await noteUse(tx, old);
  const { parallelism = null, rate = null, period } = old ? adopt(toLimits(old), limit) : limit;
  if (old && old.parallelism === parallelism && old.rate === rate && old.period === period) return false;
  await tx.run(sql`INSERT INTO flows (key, parallelism, rate, period, used_at) VALUES (${key}, ${parallelism}, ${rate}, ${period}, ${tx.now})
     ON CONFLICT (key) DO UPDATE SET parallelism = excluded.parallelism, rate = excluded.rate,
       period = excluded.period, wake_at = NULL`);
  return old !== undefined && (await releaseAllWaiting(tx, key));
}

/** Whether nothing with this key may begin now. */
export async function isFlowPaused(tx: Tx, key: string): Promise<boolean> {
  return (await flowOf(tx, key))?.paused === 1;
}

/** Whether a delivery with this key may begin now; if so, it counts. */
export async function admit(tx: Tx, key: string): Promise<boolean> {
  await tx.lock("flow", key);
  const flow = await flowOf(tx, key);
  if (!flow) return true;
  if (flow.paused === 1) return false;
  if (flow.parallelism !== null && (await active(tx, key, flow.parallelism)) >= flow.parallelism)
    return false;
  await noteUse(tx, flow);
  if (flow.rate === null) return true;
  const over = tx.now >= flow.began_at + flow.period;
  const begun = begunAt({ beganAt: flow.began_at, begun: flow.begun, period: flow.period }, tx.now);
  if (begun >= flow.rate) {
    await tx.run(sql`UPDATE flows SET wake_at = ${flow.began_at + flow.period} WHERE key = ${key}`);
    return false;
  }
  const beganAt = over ? tx.now : flow.began_at;
  await tx.run(sql`UPDATE flows SET began_at = ${beganAt}, begun = ${begun + 1} WHERE key = ${key}`);
  return true;
}

async function noteUse(tx: Tx, { key, used_at }: FlowRow): Promise<void> {
  if (tx.now >= used_at + USED_AT_PRECISION)
    await tx.run(sql`UPDATE flows SET used_at = ${tx.now} WHERE key = ${key}`);
}

/**
 * Deletes the keys that were last used, and whose period ended, before the log's retention began. Paused and pinned keys
 * stay: a person has set them.
 *
 * @returns how many were looked at: `limit` at most
 */
export async function sweepFlows(tx: Tx, { logs: until, now }: Expiry, limit: number): Promise<number> {
  const rows = await tx.all<{
    key: string;
    live: number;
  }>(sql`SELECT key, (SELECT count(*) FROM (SELECT 1 FROM due WHERE flow_key = flows.key LIMIT 1) AS one) AS live
     FROM flows WHERE used_at <= ${until - USED_AT_PRECISION} AND began_at + period <= ${until}
       AND paused = 0 AND pinned_parallelism = 0 AND pinned_rate = 0
     ORDER BY used_at LIMIT ${limit}`);
  for (const { key, live } of rows) {
    // A key with messages isn't looked at again each minute.
    if (live === 1) await tx.run(sql`UPDATE flows SET used_at = ${now} WHERE key = ${key}`);
    else await tx.run(sql`DELETE FROM flows WHERE key = ${key}`);
  }
  return rows.length;
}

/** Throttles a message until its key admits it. Throttled messages are admitted in the order in which they came due. */
export async function throttle(tx: Tx, seq: number): Promise<void> {
  await tx.run(sql`UPDATE due SET ${suspend("throttle")} WHERE message = ${seq}`);
}

/** Something with this key is no longer under way, or no longer due: those that wait for it are due again. */
export async function releaseWaiting(tx: Tx, key: string | null): Promise<boolean> {
  if (key === null) return false;
  await tx.lock("flow", key);
  const flow = await flowOf(tx, key);
  // For the next period there is a time of its own.
  if (!flow || flow.wake_at !== null || flow.paused === 1) return false;
  const free =
    flow.parallelism === null
      ? MAX_RELEASED_AT_ONCE
      : flow.parallelism - (await active(tx, key, flow.parallelism));
  return await unthrottle(tx, key, Math.min(free, MAX_RELEASED_AT_ONCE));
}

/** The key may admit more than before: all that wait for it are due again, as far as it isn't paused. */
export async function releaseAllWaiting(tx: Tx, key: string): Promise<boolean> {
  return (await flowOf(tx, key))?.paused === 1 ? false : await unthrottle(tx, key, MAX_RELEASED_AT_ONCE);
}

/** Lets go those for which a new period has begun. */
export async function releaseDueKeys(tx: Tx): Promise<void> {
  const keys = await tx.all<{ key: string; rate: number | null }>(
    sql`SELECT key, rate FROM flows WHERE wake_at <= ${tx.now}`,
  );
  for (const { key, rate } of keys) {
    await tx.run(sql`UPDATE flows SET wake_at = NULL WHERE key = ${key}`);
    // One more than the rate: it will not be admitted, and so has the next period be waited for.
    await unthrottle(tx, key, Math.min(rate ?? MAX_RELEASED_AT_ONCE, MAX_RELEASED_AT_ONCE) + 1);
  }
}

/** When the next period begins that something waits for. */
export async function nextPeriodAt(tx: Tx): Promise<number | undefined> {
  return (
    await tx.one<{ at: number }>(
      sql`SELECT wake_at AS at FROM flows WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1`,
    )
  )?.at;
}

/** After a restart: each key lets go as many as it has room for. */
export async function releaseEveryKey(tx: Tx): Promise<void> {
  const keys = await tx.all<{ key: string }>(
    sql`SELECT DISTINCT flow_key AS key FROM due WHERE status = 'throttled' AND flow_key IS NOT NULL`,
  );
  for (const { key } of keys) await releaseWaiting(tx, key);
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

export async function flowOf(tx: Tx, key: string): Promise<FlowRow | undefined> {
  return await tx.one<FlowRow>(sql`SELECT * FROM flows WHERE key = ${key}`);
}

/** The statuses in which a message counts toward its key's parallelism. */
export const IN_FLIGHT: Sql = sql`status IN ('delivering', 'deferred', 'ready')`;

/** How many with this key are under way, up to `most`. */
async function active(tx: Tx, key: string, most: number): Promise<number> {
  const row = await tx.one<{ count: number }>(
    sql`SELECT count(*) AS count FROM
      (SELECT 1 FROM due WHERE flow_key = ${key} AND ${IN_FLIGHT} LIMIT ${most}) AS counted`,
  );
  return row?.count ?? 0;
}

async function unthrottle(tx: Tx, key: string, count: number): Promise<boolean> {
  const changes = await tx.run(
    sql`UPDATE due SET ${RESUME} WHERE message IN (SELECT message FROM due
      WHERE flow_key = ${key} AND status = 'throttled' ORDER BY since, message LIMIT ${Math.max(0, count)})`,
  );
  return changes > 0;
}
