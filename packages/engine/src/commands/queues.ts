import { BEFORE_ADMISSION, type DueStatus, STATUS } from "../rules/message-status.ts";
import { DEFAULT_PARALLELISM, type Queue, type QueueChange } from "../rules/queue.ts";
import type { Queues } from "../store/controls.ts";
import type { Driver } from "../store/driver.ts";
import * as inOrder from "../store/in-order.ts";
import { finishMessages, holdBackOn, letGoOn } from "../store/tables/due.ts";
import { logStates } from "../store/tables/logs.ts";
import { countTakenPlaces, type QueueRow, queueOf } from "../store/tables/queues.ts";
import { constants, sql, type Tx } from "../store/tx.ts";
import { ensureQueue } from "./ensure-queue.ts";
import { givePlaces } from "./queue-places.ts";
import { recordTickState } from "./record-tick-state.ts";
import { releaseThrottled } from "./release-throttled.ts";

export function queueControl(driver: Driver): Queues {
  return {
    list: () =>
      driver.read(async (tx) =>
        inOrder.map(await tx.all<QueueRow>(sql`SELECT * FROM queues ORDER BY name`), (row) =>
          toQueue(tx, row),
        ),
      ),
    get: (name) =>
      driver.read(async (tx) => {
        const row = await queueOf(tx, name);
        return row && toQueue(tx, row);
      }),
    put: (change, limits) => driver.write((tx) => putQueue(tx, change, limits.queues)),
    pause: (name, paused) => driver.write((tx) => pauseQueue(tx, name, paused)),
    delete: (name) => driver.write((tx) => deleteQueue(tx, name)),
  };
}

async function toQueue(tx: Tx, row: QueueRow): Promise<Queue> {
  const { lag } = (await tx.one<{ lag: number }>(
    sql`SELECT count(*) AS lag FROM due WHERE queue = ${row.name}`,
  )) as { lag: number };
  return {
    name: row.name,
    parallelism: row.parallelism,
    paused: row.paused === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lag,
  };
}

async function putQueue(tx: Tx, change: QueueChange, most: number): Promise<void> {
  await ensureQueue(tx, change.name, most);
  const old = await queueOf(tx, change.name);
  const parallelism = change.parallelism ?? old?.parallelism ?? DEFAULT_PARALLELISM;
  await tx.run(
    sql`UPDATE queues SET parallelism = ${parallelism}, updated_at = ${tx.now} WHERE name = ${change.name}`,
  );
  await takePlacesBack(tx, change.name, parallelism);
  const paused = change.paused ?? old?.paused === 1;
  await pauseQueue(tx, change.name, paused);
}

async function pauseQueue(tx: Tx, name: string, paused: boolean): Promise<boolean> {
  const changes = await tx.run(
    sql`UPDATE queues SET paused = ${paused ? 1 : 0}, updated_at = ${tx.now} WHERE name = ${name}`,
  );
  if (changes > 0 && !paused) {
    const freed = await tx.run(
      sql`UPDATE due SET ${letGoOn("dequeue")} WHERE status = ${STATUS.queued} AND place = message
        AND place IN (SELECT message FROM places WHERE queue = ${name})`,
    );
    if (freed > 0) tx.wakeAt(tx.now);
    await givePlaces(tx, name);
  }
  return changes > 0;
}

/** Takes places back that are over a lower parallelism: those given last, whose messages no attempt has begun. */
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

/** Deletes a queue. Its messages are cancelled, except those in progress, which go on without a queue. */
async function deleteQueue(tx: Tx, name: string): Promise<void> {
  const waiting = sql`queue = ${name} AND status <> ${STATUS.delivering}`;
  const keys = await tx.all<{ flow_key: string }>(
    sql`SELECT DISTINCT flow_key FROM due WHERE ${waiting} AND flow_key IS NOT NULL`,
  );
  const scheduled = await tx.all<{ id: string; schedule: string }>(
    sql`SELECT id, schedule FROM messages
      WHERE seq IN (SELECT message FROM due WHERE ${waiting}) AND schedule IS NOT NULL`,
  );
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
