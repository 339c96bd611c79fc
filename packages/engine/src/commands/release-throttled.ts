import { STATUS } from "../rules/message-status.ts";
import { letGoOn } from "../store/tables/due.ts";
import { countAdmitted, flowOf } from "../store/tables/flows.ts";
import { sql, type Tx } from "../store/tx.ts";
import type { Locks } from "./claim-locks.ts";

/** Messages that one call releases at most. The ends of their deliveries release the others. */
const MAX_RELEASED_AT_ONCE = 1000;

/**
 * Makes the messages due that wait for a flow control key, as far as it has room: after a delivery with it has ended.
 *
 * @returns whether any may be due now
 */
export async function releaseThrottled(tx: Tx, key: string | null): Promise<boolean> {
  if (key === null) return false;
  await tx.lock("flow", key);
  const flow = await flowOf(tx, key);
  // A key that waits for its next period wakes up by itself.
  if (!flow || flow.wake_at !== null || flow.paused === 1) return false;
  const { parallelism } = flow;
  const free =
    parallelism === null ? MAX_RELEASED_AT_ONCE : parallelism - (await countAdmitted(tx, key, parallelism));
  return await release(tx, key, free);
}

/** Makes all messages due that wait for a flow control key, unless it is paused: its limits have changed. */
export async function releaseAllThrottled(tx: Tx, key: string): Promise<boolean> {
  return (await flowOf(tx, key))?.paused === 1 ? false : await release(tx, key, MAX_RELEASED_AT_ONCE);
}

/** Makes the messages due that wait for keys whose next period has begun. */
export async function releaseDueFlows(tx: Tx, locks: Locks): Promise<void> {
  const keys = await tx.all<{ key: string; rate: number | null }>(
    sql`SELECT key, rate FROM flows WHERE wake_at <= ${tx.now}`,
  );
  for (const { key, rate } of keys) {
    if (!(await locks.take("flow", key))) continue;
    const woken = await tx.run(
      sql`UPDATE flows SET wake_at = NULL WHERE key = ${key} AND wake_at <= ${tx.now}`,
    );
    if (woken === 0) continue;
    // One more than the rate: the key doesn't admit it, and so wakes up for the period after this one.
    await release(tx, key, (rate ?? MAX_RELEASED_AT_ONCE) + 1, MAX_RELEASED_AT_ONCE + 1);
  }
}

/** Makes the messages due for which their keys have room, after a restart. */
export async function releaseEveryFlow(tx: Tx): Promise<void> {
  const keys = await tx.all<{ key: string }>(
    sql`SELECT DISTINCT flow_key AS key FROM due WHERE status = ${STATUS.throttled} AND flow_key IS NOT NULL`,
  );
  for (const { key } of keys) await releaseThrottled(tx, key);
}

async function release(
  tx: Tx,
  key: string,
  count: number,
  most: number = MAX_RELEASED_AT_ONCE,
): Promise<boolean> {
  const limit = Math.max(0, Math.min(count, most));
  const changes = await tx.run(
    sql`UPDATE due SET ${letGoOn("unthrottle")} WHERE message IN (SELECT message FROM due
      WHERE flow_key = ${key} AND status = ${STATUS.throttled} ORDER BY since, message LIMIT ${limit})`,
  );
  return changes > 0;
}
