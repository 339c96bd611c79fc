import { newMessageId, type RollbackRecord } from "@perdure/core/protocol";
import { deadLetters } from "../queries/lists.ts";
import type { Options } from "../rules/options.ts";
import type { QueueLimits } from "../rules/queue.ts";
import { republish } from "../rules/republish.ts";
import { deliveryOf, inherit, type Run } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import type { DeadLetterQuery, RemovedDeadLetters, RetriedMessages } from "../store/lists.ts";
import { MESSAGES, type MessageRow, toMessage } from "../store/tables/rows.ts";
import { numbers, sql, type Tx } from "../store/tx.ts";
import { deleteUnreferenced } from "./delete-unreferenced.ts";
import { insertMessage, runOf } from "./messages.ts";
import { ensureQueue } from "./queue-places.ts";
import { isReporting } from "./rollbacks.ts";

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
  limits: Partial<QueueLimits> = {},
): Promise<RetriedMessages> {
  const { items, next } = await deadLetters(tx, { ...query, ofMessages: true });
  const messages = await inOrder.map(items, async ({ dlqId, message }) => {
    const again = republish(message, options, tx.now);
    if (again.queue !== undefined) await ensureQueue(tx, again.queue, limits.queues);
    const seq = await insertMessage(tx, again);
    // Of the failure that it reports, this is the report now.
    await tx.run(sql`UPDATE dlq SET callback = ${seq} WHERE callback = ${message.seq}`);
    await discard(tx, dlqId);
    return { id: again.id, url: again.url };
  });
  return { messages, next };
}

/** Calls a failure function again that has failed itself. */
export async function repeatReport(tx: Tx, dlqId: string): Promise<Run | undefined> {
  const found = await reportOf(tx, dlqId);
  if (!found || !["FAILED", "CANCELLED"].includes(found.report.outcome ?? "")) return undefined;
  const { report, run } = found;
  const again = { ...toMessage(report), id: newMessageId(), notBefore: tx.now, createdAt: tx.now };
  const seq = await insertMessage(tx, again, { run: run.key });
  await tx.run(sql`UPDATE dlq SET callback = ${seq} WHERE id = ${dlqId}`);
  await deleteUnreferenced(tx, [report.seq]);
  return run;
}

/** Retries a run's failed rollbacks, and nothing else. */
export async function repeatRollbacks(tx: Tx, dlqId: string): Promise<Run | undefined> {
  const found = await reportOf(tx, dlqId);
  if (!found || (await isReporting(tx, found.run.key))) return undefined;
  const { report, run } = found;
  const failed = await rollbacksThatFailed(tx, run.key);
  await tx.run(sql`DELETE FROM rollbacks WHERE seq IN (${numbers(failed)})`);
  // Nor did the endpoint have a say where its deliveries were used up.
  const lost = await tx.run(
    sql`UPDATE messages SET delete_after = ${tx.now} WHERE run = ${run.key} AND outcome IN ('FAILED', 'CANCELLED')
      AND kind = 'rollback' AND delete_after IS NULL`,
  );
  if (failed.length === 0 && lost === 0) return undefined;
  const { body } = toMessage(report);
  const delivery = deliveryOf(run, "step", tx.now);
  const again = { ...delivery, id: newMessageId(), kind: "rollback", body, notBefore: tx.now } as const;
  await insertMessage(tx, { ...inherit(again, run), flow: undefined }, { run: run.key });
  return run;
}

/** The message that reports a run's failure, and the run. */
async function reportOf(
  tx: Tx,
  dlqId: string,
): Promise<{ readonly report: MessageRow; readonly run: Run } | undefined> {
  const letter = await tx.one<{ run: number | null; callback: number | null }>(
    sql`SELECT run, callback FROM dlq WHERE id = ${dlqId} AND removed = 0`,
  );
  const run = await runOf(tx, letter?.run ?? null);
  const report = await tx.one<MessageRow>(sql`${MESSAGES} WHERE messages.seq = ${letter?.callback ?? null}`);
  return run && report && { report, run };
}

async function rollbacksThatFailed(tx: Tx, run: number): Promise<number[]> {
  const rows = await tx.all<{ seq: number; record: string }>(
    sql`SELECT seq, record FROM rollbacks WHERE run = ${run}`,
  );
  const failed = rows.filter(({ record }) => (JSON.parse(record) as RollbackRecord).state === "failed");
  return failed.map(({ seq }) => seq);
}

async function discard(tx: Tx, dlqId: string): Promise<void> {
  const row = await tx.one<{ message: number; callback: number | null }>(
    sql`DELETE FROM dlq WHERE id = ${dlqId} RETURNING message, callback`,
  );
  if (!row) return;
  await deleteUnreferenced(tx, row.callback === null ? [row.message] : [row.message, row.callback]);
}
