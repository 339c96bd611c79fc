import { newMessageId } from "../../domain/ids.ts";
import type { Options } from "../../domain/options.ts";
import type { QueueLimits } from "../../domain/queue.ts";
import { redraft } from "../../domain/redraft.ts";
import { deliveryOf, inherit, type Run } from "../../domain/run.ts";
import type { DeadLetterQuery, RemovedDeadLetters, Retried } from "../lists.ts";
import type { Database } from "./database.ts";
import { release } from "./erase.ts";
import { deadLetters } from "./listing.ts";
import { type Due, insertMessage, runOf } from "./messages.ts";
import { ensureQueue } from "./queues.ts";
import { isReporting } from "./rollbacks.ts";
import { type MessageRow, toMessage } from "./rows.ts";

export function removeDeadLetters(db: Database, query: DeadLetterQuery): RemovedDeadLetters {
  const { items, next } = deadLetters(db, query);
  for (const { dlqId, run } of items) remove(db, { id: dlqId, run: run?.key ?? null });
  return { removed: items.length, next };
}

/** Takes one entry out of the queue, with all that was kept for it alone. */
export function remove(
  db: Database,
  { id, run }: { readonly id: string; readonly run: number | null },
): void {
  if (run === null) {
    discard(db, id);
    return;
  }
  // The run's log still tells how it ended.
  db.run("UPDATE dlq SET removed = 1 WHERE id = ?", id);
  db.run("UPDATE runs SET dlq_id = NULL WHERE key = ?", run);
}

/** Makes new messages of those that failed, and takes their entries out of the queue. */
export function retry(
  db: Database,
  query: DeadLetterQuery,
  options: Options,
  now: number,
  due: Due,
  limits: Partial<QueueLimits> = {},
): Retried {
  const { items, next } = deadLetters(db, { ...query, ofMessages: true });
  const messages = items.map(({ dlqId, message }) => {
    const again = redraft(message, options, now);
    if (again.queue !== undefined) ensureQueue(db, again.queue, now, limits.queues);
    const seq = insertMessage(db, again, due);
    // Of the failure that it reports, this is the report now.
    db.run("UPDATE dlq SET callback = ? WHERE callback = ?", seq, message.seq);
    discard(db, dlqId);
    return { id: again.id, url: again.url };
  });
  return { messages, next };
}

export function repeatReport(db: Database, dlqId: string, now: number, due: Due): Run | undefined {
  const row = db.get<MessageRow & { readonly dlq_run: number | null }>(
    `SELECT messages.*, dlq.run AS dlq_run FROM dlq JOIN messages ON messages.seq = dlq.callback
     WHERE dlq.id = ? AND dlq.removed = 0 AND messages.state IN ('FAILED', 'CANCELLED')`,
    dlqId,
  );
  const run = row && runOf(db, row.dlq_run);
  if (!run) return undefined;
  const failed = toMessage(row);
  const again = { ...failed, id: newMessageId(), notBefore: now, createdAt: now };
  const seq = insertMessage(db, again, due, { run: run.key });
  db.run("UPDATE dlq SET callback = ? WHERE id = ?", seq, dlqId);
  release(db, [failed.seq]);
  return run;
}

/** Has the rollbacks made again that failed, and nothing else. */
export function repeatRollbacks(db: Database, dlqId: string, now: number, due: Due): Run | undefined {
  const row = db.get<MessageRow & { readonly dlq_run: number | null }>(
    `SELECT messages.*, dlq.run AS dlq_run FROM dlq JOIN messages ON messages.seq = dlq.callback
     WHERE dlq.id = ? AND dlq.removed = 0`,
    dlqId,
  );
  const run = row && runOf(db, row.dlq_run);
  if (!row || !run || isReporting(db, run.key)) return undefined;
  const failed = db.run("DELETE FROM rollbacks WHERE run = ? AND record ->> 'state' = 'failed'", run.key);
  // Nor did the endpoint have a say where its deliveries were used up.
  const lost = db.all<{ seq: number }>(
    `SELECT seq FROM messages WHERE run = ? AND state <> 'DELIVERED' AND state IN ('FAILED', 'CANCELLED')
       AND purpose = 'rollback' AND forget_at IS NULL`,
    run.key,
  );
  if (failed.changes === 0 && lost.length === 0) return undefined;
  for (const { seq } of lost) db.run("UPDATE messages SET forget_at = ? WHERE seq = ?", now, seq);
  const { body } = toMessage(row);
  const delivery = deliveryOf(run, "step", now);
  const again = { ...delivery, id: newMessageId(), purpose: "rollback", body, notBefore: now } as const;
  insertMessage(db, { ...inherit(again, run), flow: undefined }, due, { run: run.key });
  return run;
}

function discard(db: Database, dlqId: string): void {
  const row = db.get<{ message: number; callback: number | null }>(
    "DELETE FROM dlq WHERE id = ? RETURNING message, callback",
    dlqId,
  );
  if (!row) return;
  release(db, row.callback === null ? [row.message] : [row.message, row.callback]);
}
