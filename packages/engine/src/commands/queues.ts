import { notFound } from "../rules/engine-error.ts";
import { BEFORE_ADMISSION, type DueStatus, STATUS } from "../rules/message-status.ts";
import { DEFAULT_PARALLELISM, type Queue, type QueueChange, type QueueLimits } from "../rules/queue.ts";
import * as inOrder from "../store/in-order.ts";
import { finishMessages, holdBackOn, letGoOn } from "../store/tables/due.ts";
import { logStates } from "../store/tables/logs.ts";
import { countTakenPlaces, type QueueRow, queueOf } from "../store/tables/queues.ts";
import { constants, lockAll, sql, type Tx } from "../store/tx.ts";
import { ensureQueue } from "./ensure-queue.ts";
import { givePlaces } from "./queue-places.ts";
import { recordTickState } from "./record-tick-state.ts";
import { releaseThrottled } from "./release-throttled.ts";

/** The queues, by name. */
export async function listQueues(tx: Tx): Promise<Queue[]> {
  const rows = await tx.many<QueueRow>(sql`SELECT * FROM queues ORDER BY name`);
  return inOrder.map(rows, (row) => toQueue(tx, row));
}

export async function getQueue(tx: Tx, name: string): Promise<Queue | undefined> {
  const row = await queueOf(tx, name);
  return row && toQueue(tx, row);
}

async function toQueue(tx: Tx, row: QueueRow): Promise<Queue> {
  const counted = await tx.one<{ lag: number }>(
    sql`SELECT count(*) AS lag FROM due WHERE queue = ${row.name}`,
  );
  return {
    name: row.name,
    parallelism: row.parallelism,
    paused: row.paused === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lag: counted?.lag ?? 0,
  };
}

/**
 * Creates or changes a queue.
 *
 * @throws EngineError `limit_reached` when there are as many queues already
 */
export async function putQueue(
  tx: Tx,
  change: QueueChange,
  limits: Pick<QueueLimits, "queues">,
): Promise<void> {
  await ensureQueue(tx, change.name, limits.queues);
  const old = await queueOf(tx, change.name);
  const parallelism = change.parallelism ?? old?.parallelism ?? DEFAULT_PARALLELISM;
  await tx.run(
    sql`UPDATE queues SET parallelism = ${parallelism}, updated_at = ${tx.now} WHERE name = ${change.name}`,
  );
  await takePlacesBack(tx, change.name, parallelism);
  const paused = change.paused ?? old?.paused === 1;
  await pauseQueue(tx, change.name, paused);
}

/** Pauses a queue, or resumes it. No attempt begins while it is paused. @throws EngineError `not_found` */
export async function pauseQueue(tx: Tx, name: string, paused: boolean): Promise<void> {
  await tx.lock("queue", name);
  const changes = await tx.run(
    sql`UPDATE queues SET paused = ${paused ? 1 : 0}, updated_at = ${tx.now} WHERE name = ${name}`,
  );
  if (changes === 0) throw notFound(`queue ${name}`);
  if (paused) return;
  const freed = await tx.run(
    sql`UPDATE due SET ${letGoOn("dequeue")} WHERE status = ${STATUS.queued} AND place = message
      AND place IN (SELECT message FROM places WHERE queue = ${name})`,
  );
  if (freed > 0) tx.wakeAt(tx.now);
  await givePlaces(tx, name);
}

/** Takes places back that exceed a lowered parallelism: the last ones given, of messages without an attempt. */
async function takePlacesBack(tx: Tx, name: string, parallelism: number): Promise<void> {
  const over = (await countTakenPlaces(tx, name)) - parallelism;
  if (over <= 0) return;
  const unused = await tx.all<{ message: number }>(
    sql`SELECT message FROM due WHERE place IN (SELECT message FROM places WHERE queue = ${name})
      AND place = message AND fence = 0 AND status IN (${constants<DueStatus>(...BEFORE_ADMISSION)})
      ORDER BY message DESC LIMIT ${over}`,
  );
  for (const { message } of unused) {
    await tx.run(sql`DELETE FROM places WHERE message = ${message}`);
    await tx.run(sql`UPDATE due SET ${holdBackOn("enqueue")}, place = NULL WHERE message = ${message}`);
  }
}

/** Deletes a queue and cancels its messages, except those in progress, which go on without a queue. */
export async function deleteQueue(tx: Tx, name: string): Promise<void> {
  await tx.lock("queue", name);
  const waiting = sql`queue = ${name} AND status <> ${STATUS.delivering}`;
  const keys = await tx.all<{ flow_key: string }>(
    sql`SELECT DISTINCT flow_key FROM due WHERE ${waiting} AND flow_key IS NOT NULL`,
  );
  const scheduled = await tx.all<{ id: string; schedule: string }>(
    sql`SELECT id, schedule FROM messages
      WHERE seq IN (SELECT message FROM due WHERE ${waiting}) AND schedule IS NOT NULL`,
  );
  await lockAll(tx, { flow: keys.map(({ flow_key }) => flow_key) });
  for (const state of ["CANCEL_REQUESTED", "CANCELLED"] as const) await logStates(tx, state, waiting);
  await finishMessages(tx, waiting, { outcome: "CANCELLED", deleteAfter: tx.now });
  await tx.run(
    sql`UPDATE messages SET queue = NULL WHERE seq IN (SELECT message FROM due WHERE queue = ${name})`,
  );
  await tx.run(
    sql`UPDATE due SET place = NULL WHERE place IN (SELECT message FROM places WHERE queue = ${name})`,
  );
  await tx.run(sql`UPDATE due SET queue = NULL WHERE queue = ${name}`);
  await tx.run(sql`DELETE FROM places WHERE queue = ${name}`);
  await tx.run(sql`DELETE FROM queues WHERE name = ${name}`);
  for (const { id, schedule } of scheduled) await recordTickState(tx, schedule, id, "FAIL");
  for (const { flow_key } of keys) if (await releaseThrottled(tx, flow_key)) tx.wakeAt(tx.now);
}
