import { shortenAnswer } from "../rules/answer-excerpt.ts";
import { messageFailureMessage } from "../rules/failure.ts";
import { type Failure, isPostRun } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { FailedDelivery } from "../rules/settlement.ts";
import type { Settled } from "../store/claims.ts";
import { finishMessage, statusOn } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { type MessageRow, toMessage } from "../store/tables/rows.ts";
import { runOf } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import { endAlarm, startAlarm } from "./alarms.ts";
import { finishRun } from "./finish-run.ts";
import { insertMessage } from "./insert-message.ts";
import { moveToDeadLetters } from "./move-to-dead-letters.ts";
import { recordReply } from "./record-reply.ts";

/**
 * Records a failed attempt: the message is retried, or has failed.
 *
 * @param excerpt bytes of the answer that the record of the failure keeps
 */
export async function retryOrFail(
  tx: Tx,
  row: MessageRow,
  failed: FailedDelivery,
  excerpt: number,
): Promise<Settled> {
  return failed.kind === "retry"
    ? retryLater(tx, row, failed, excerpt)
    : failMessage(tx, row, failed.failure, excerpt);
}

/** Records a failed attempt of a message, and when the next one begins. */
async function retryLater(
  tx: Tx,
  row: MessageRow,
  { failure, dueAt, unheard }: Extract<FailedDelivery, { kind: "retry" }>,
  excerpt: number,
): Promise<Settled> {
  await recordFailure(tx, row, failure, excerpt);
  tx.send(
    sql`UPDATE due SET ${statusOn("retry")}, at = ${dueAt}, retried = ${row.retried + 1}, owner = NULL
      WHERE message = ${row.seq}`,
  );
  await logState(tx, row, "RETRY", { dueAt });
  tx.wakeAt(dueAt);
  if (unheard) await startAlarm(tx, row);
  return { kind: "retrying", failure, dueAt, attempt: row.retried + 1 };
}

/**
 * Ends a message after its last attempt:
 *
 * 1. The failure is recorded, and the message has its outcome.
 * 2. A message that follows a run's end tells its alarm, and its own failure is reported where its sender asked for that.
 * 3. A delivery of a live run fails the run.
 * 4. Every other message becomes a dead letter.
 *
 * @param excerpt bytes of the answer that the record of the failure keeps
 */
export async function failMessage(
  tx: Tx,
  row: MessageRow,
  failure: Failure,
  excerpt: number,
): Promise<Settled> {
  await recordFailure(tx, row, failure, excerpt);
  await finishMessage(tx, row.seq, { outcome: "FAILED", deleteAfter: null });
  await logState(tx, row, "FAILED", { attempt: row.retried });
  if (isPostRun(row.kind) && failure.reply) await recordReply(tx, row.seq, failure.reply);
  const run = await runOf(tx, row.run);
  if (run && isPostRun(row.kind)) return await failPostRun(tx, row, failure, run);
  const dlqId = run
    ? await finishRun(tx, run, { state: "RUN_FAILED", failure, message: row })
    : await moveToDeadLetters(tx, row, failure);
  return { kind: "failed", failure, dlqId };
}

/** The run's log and its dead letter tell of a failed message that follows its end. It is no dead letter of its own. */
async function failPostRun(tx: Tx, row: MessageRow, failure: Failure, run: Run): Promise<Settled> {
  await endAlarm(tx, row);
  const message = toMessage(row);
  const report = messageFailureMessage({ message, failure, dlqId: run.dlqId ?? "" });
  if (report) await insertMessage(tx, report, { source: row });
  return { kind: "failed", failure, dlqId: undefined };
}

/** Records a failed attempt at a message. @param excerpt bytes of the answer that the record keeps */
export async function recordFailure(
  tx: Tx,
  row: MessageRow,
  failure: Failure,
  excerpt: number,
): Promise<void> {
  const { at, error, byEngine, reply } = failure;
  const headers = reply ? JSON.stringify(reply.headers) : null;
  tx.send(
    sql`INSERT INTO failures (message, retried, at, error, by_engine, status, headers, body)
      VALUES (${row.seq}, ${row.retried}, ${at}, ${error}, ${byEngine ? 1 : 0}, ${reply?.status ?? null}, ${headers},
        ${reply ? shortenAnswer(reply.body, excerpt) : null})`,
  );
  await logState(tx, row, "ERROR", { attempt: row.retried });
}
