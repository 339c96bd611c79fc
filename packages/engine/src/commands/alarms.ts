import { newMessageId } from "@perdure/core/protocol";
import { STATUS } from "../rules/message-status.ts";
import { MESSAGES, type MessageRow, toMessage } from "../store/tables/rows.ts";
import { GREATEST, sql, type Tx } from "../store/tx.ts";
import { deleteUnreferenced } from "./delete-messages.ts";
import { insertMessage } from "./insert-message.ts";

// An alarm is the report of a run's failure to another URL than the workflow's. It waits for a message that asks the
// workflow for rollbacks.

/** Sends the alarm that waits for this message now, unless the engine has sent it already. */
export async function startAlarm(tx: Tx, { seq, kind }: MessageRow): Promise<void> {
  if (kind !== "rollback") return;
  const alarm = await tx.one<{ at: number }>(
    sql`UPDATE due SET at = ${GREATEST}((SELECT not_before FROM messages WHERE seq = due.message), ${tx.now})
      WHERE message = (SELECT seq FROM messages WHERE awaits = ${seq}) AND status = ${STATUS.scheduled} AND at > ${tx.now}
      RETURNING at`,
  );
  if (alarm) tx.wakeAt(alarm.at);
}

/**
 * Sends the alarm that waits for this message, which has ended:
 *
 * 1. An alarm whose first attempt hasn't begun goes out now.
 * 2. An alarm that waits for another attempt reports the end with that attempt.
 * 3. Every other alarm has reported that rollbacks are pending: the engine sends it once more.
 */
export async function endAlarm(tx: Tx, row: MessageRow): Promise<void> {
  if (row.kind !== "rollback") return;
  const alarm = await tx.one<MessageRow>(sql`${MESSAGES} WHERE messages.awaits = ${row.seq}`);
  if (!alarm || alarm.outcome === "CANCELLED") return;
  if (alarm.fence === 0) {
    await startAlarm(tx, row);
    return;
  }
  if (toMessage(alarm).state === "RETRY") return;
  const again = { ...toMessage(alarm), id: newMessageId(), notBefore: tx.now, createdAt: tx.now };
  const seq = await insertMessage(tx, again, { run: row.run ?? undefined });
  await tx.run(sql`UPDATE dlq SET callback = ${seq} WHERE callback = ${alarm.seq}`);
  await deleteUnreferenced(tx, [alarm.seq]);
}
