import { newMessageId } from "../../domain/ids.ts";
import type { Options } from "../../domain/options.ts";
import type { QueueLimits } from "../../domain/queue.ts";
import { redraft } from "../../domain/redraft.ts";
import { deliveryOf, inherit, type Run } from "../../domain/run.ts";
import * as inOrder from "../in-order.ts";
import type { DeadLetterQuery, RemovedDeadLetters, Retried } from "../lists.ts";
import { sql, type Tx } from "../tx.ts";
import { release } from "./erase.ts";
import { deadLetters } from "./listing.ts";
import { insertMessage, runOf } from "./messages.ts";
import { ensureQueue } from "./queues.ts";
import { isReporting } from "./rollbacks.ts";
import { type MessageRow, toMessage } from "./rows.ts";

export async function removeDeadLetters(tx: Tx, query: DeadLetterQuery): Promise<RemovedDeadLetters> {
  const { items, next } = await deadLetters(tx, query);
  for (const { dlqId, run } of items) await remove(tx, { id: dlqId, run: run?.key ?? null });
  return { removed: items.length, next };
}

/** Takes one entry out of the queue, with all that was kept for it alone. */
export async function remove(
  tx: Tx,
  { id, run }: { readonly id: string; readonly run: number | null },
): Promise<void> {
  if (run === null) {
    await discard(tx, id);
    return;
  }
  // The run's log still tells how it ended.
  await tx.run(sql`UPDATE dlq SET removed = 1 WHERE id = ${id}`);
  await tx.run(sql`UPDATE runs SET dlq_id = NULL WHERE key = ${run}`);
}

/** Makes new messages of those that failed, and takes their entries out of the queue. */
export async function retry(
  tx: Tx,
  query: DeadLetterQuery,
  options: Options,
  now: number,
  limits: Partial<QueueLimits> = {},
): Promise<Retried> {
  const { items, next } = await deadLetters(tx, { ...query, ofMessages: true });
  const messages = await inOrder.map(items, async ({ dlqId, message }) => {
    const again = redraft(message, options, now);
    if (again.queue !== undefined) await ensureQueue(tx, again.queue, now, limits.queues);
    const seq = await insertMessage(tx, again);
    // Of the failure that it reports, this is the report now.
    await tx.run(sql`UPDATE dlq SET callback = ${seq} WHERE callback = ${message.seq}`);
    await discard(tx, dlqId);
    return { id: again.id, url: again.url };
  });
  return { messages, next };
}

export async function repeatReport(tx: Tx, dlqId: string, now: number): Promise<Run | undefined> {
  const row = await tx.one<
    MessageRow & { readonly dlq_run: number | null }
  >(sql`SELECT messages.*, dlq.run AS dlq_run FROM dlq JOIN messages ON messages.seq = dlq.callback
     WHERE dlq.id = ${dlqId} AND dlq.removed = 0 AND messages.state IN ('FAILED', 'CANCELLED')`);
  const run = row && (await runOf(tx, row.dlq_run));
  if (!run) return undefined;
  const failed = toMessage(row);
  const again = { ...failed, id: newMessageId(), notBefore: now, createdAt: now };
  const seq = await insertMessage(tx, again, { run: run.key });
  await tx.run(sql`UPDATE dlq SET callback = ${seq} WHERE id = ${dlqId}`);
  await release(tx, [failed.seq]);
  return run;
}

/** Has the rollbacks made again that failed, and nothing else. */
export async function repeatRollbacks(tx: Tx, dlqId: string, now: number): Promise<Run | undefined> {
  const row = await tx.one<
    MessageRow & { readonly dlq_run: number | null }
  >(sql`SELECT messages.*, dlq.run AS dlq_run FROM dlq JOIN messages ON messages.seq = dlq.callback
     WHERE dlq.id = ${dlqId} AND dlq.removed = 0`);
  const run = row && (await runOf(tx, row.dlq_run));
  if (!row || !run || (await isReporting(tx, run.key))) return undefined;
  const failed = await tx.run(
    sql`DELETE FROM rollbacks WHERE run = ${run.key} AND record ->> 'state' = 'failed'`,
  );
  // Nor did the endpoint have a say where its deliveries were used up.
  const lost = await tx.all<{
    seq: number;
  }>(sql`SELECT seq FROM messages WHERE run = ${run.key} AND state <> 'DELIVERED' AND state IN ('FAILED', 'CANCELLED')
       AND purpose = 'rollback' AND forget_at IS NULL`);
  if (failed.changes === 0 && lost.length === 0) return undefined;
  for (const { seq } of lost) await tx.run(sql`UPDATE messages SET forget_at = ${now} WHERE seq = ${seq}`);
  const { body } = toMessage(row);
  const delivery = deliveryOf(run, "step", now);
  const again = { ...delivery, id: newMessageId(), purpose: "rollback", body, notBefore: now } as const;
  await insertMessage(tx, { ...inherit(again, run), flow: undefined }, { run: run.key });
  return run;
}

async function discard(tx: Tx, dlqId: string): Promise<void> {
  const row = await tx.one<{ message: number; callback: number | null }>(
    sql`DELETE FROM dlq WHERE id = ${dlqId} RETURNING message, callback`,
  );
  if (!row) return;
  await release(tx, row.callback === null ? [row.message] : [row.message, row.callback]);
}
