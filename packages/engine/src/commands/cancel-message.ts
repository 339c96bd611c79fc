import { hasPending } from "../queries/pending.ts";
import { notFound } from "../rules/engine-error.ts";
import { isPostRun } from "../rules/message.ts";
import { finishMessage, IS_UNFINISHED } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { LIVE_MESSAGES, type MessageRow } from "../store/tables/rows.ts";
import { runOf } from "../store/tables/runs.ts";
import { FOR_UPDATE, lockAll, sql, strings, type Tx } from "../store/tx.ts";
import { endAlarm } from "./alarms.ts";
import { CANCELED, finishRun } from "./finish-run.ts";
import { endHold } from "./hold-run.ts";
import { onMessageFinished } from "./on-message-finished.ts";
import { releaseThrottled } from "./release-throttled.ts";

/**
 * Cancels a message that isn't at its end, and its run when nothing else of it is pending.
 *
 * @returns whether there was such a message
 */
export async function cancelMessage(tx: Tx, id: string): Promise<boolean> {
  await lockMessages(tx, [id]);
  return await cancelLocked(tx, id);
}

/** Cancels a message as {@link cancelMessage} does. @throws EngineError `not_found` for one that isn't there, or at its end */
export async function cancelOneMessage(tx: Tx, id: string): Promise<void> {
  if (!(await cancelMessage(tx, id))) throw notFound(`message ${id}`);
}

/** {@link cancelMessage} of a message whose locks the transaction has. */
export async function cancelLocked(tx: Tx, id: string): Promise<boolean> {
  const row = await tx.one<MessageRow>(
    sql`${LIVE_MESSAGES} WHERE messages.id = ${id} AND ${IS_UNFINISHED} ${FOR_UPDATE}`,
  );
  if (!row) return false;
  // The log of a run tells of its messages, and a dead letter of its report: these stay.
  const deleteAfter = row.run === null && row.kind !== "failure" ? tx.now : null;
  await finishMessage(tx, row.seq, { outcome: "CANCELLED", deleteAfter });
  await endHold(tx, row);
  await cancelAwaited(tx, row);
  await logState(tx, row, "CANCEL_REQUESTED");
  await logState(tx, row, "CANCELLED");
  if (await releaseThrottled(tx, row.flow_key)) tx.wakeAt(tx.now);
  await onMessageFinished(tx, row);
  await endAlarm(tx, row);
  const run = await runOf(tx, row.run);
  if (!run) return true;
  if (isPostRun(row.kind))
    tx.record({ type: "failure.canceled", runId: run.id, messageId: row.id, kind: row.kind });
  else if (!(await hasPending(tx, run.key))) await finishRun(tx, run, CANCELED);
  return true;
}

/** Takes the locks of the runs, the queues and the flow control keys of messages, and then of the messages themselves. */
export async function lockMessages(tx: Tx, ids: readonly string[]): Promise<void> {
  const rows = await tx.all<{ run_id: string | null; queue: string | null; flow_key: string | null }>(
    sql`SELECT (SELECT id FROM runs WHERE key = due.run) AS run_id, due.flow_key,
        coalesce(due.queue, (SELECT queue FROM places WHERE places.message = due.place)) AS queue
      FROM messages JOIN due ON due.message = messages.seq WHERE messages.id IN (${strings(ids)})`,
  );
  await lockAll(tx, {
    run: rows.map(({ run_id }) => run_id),
    queue: rows.map(({ queue }) => queue),
    flow: rows.map(({ flow_key }) => flow_key),
  });
  await tx.all(
    sql`SELECT message FROM due WHERE message IN (SELECT seq FROM messages WHERE id IN (${strings(ids)}))
      ORDER BY message ${FOR_UPDATE}`,
  );
}

/** Cancels the message that a report waits for, with the report. */
async function cancelAwaited(tx: Tx, { awaits }: MessageRow): Promise<void> {
  if (awaits === null) return;
  const awaited = await tx.one<{ id: string }>(
    sql`SELECT messages.id FROM due JOIN messages ON messages.seq = due.message WHERE due.message = ${awaits}`,
  );
  if (awaited) await cancelMessage(tx, awaited.id);
}
