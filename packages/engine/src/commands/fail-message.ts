import { messageFailureMessage } from "../rules/failure.ts";
import { type Failure, isPostRun, type Reply } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { Settled } from "../store/claims.ts";
import { finishMessage } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { type MessageRow, toMessage } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { finishRun } from "./finish-run.ts";
import { insertMessage, runOf } from "./messages.ts";
import { moveToDeadLetters } from "./move-to-dead-letters.ts";
import { endAlarm } from "./rollbacks.ts";

/** Ends a message that gets no more attempts, and with it the run that it is a delivery of. */
export async function fail(tx: Tx, row: MessageRow, failure: Failure, excerpt: number): Promise<Settled> {
  await recordFailure(tx, row, failure, excerpt);
  await finishMessage(tx, row.seq, { outcome: "FAILED", deleteAfter: null });
  await logState(tx, row, "FAILED", { attempt: row.retried });
  if (isPostRun(row.kind) && failure.reply) await keepReply(tx, row.seq, failure.reply);
  const run = await runOf(tx, row.run);
  if (run && isPostRun(row.kind)) return await failReport(tx, row, failure, run);
  const dlqId = run
    ? await finishRun(tx, run, { state: "RUN_FAILED", failure, message: row })
    : await moveToDeadLetters(tx, row, failure);
  return { kind: "failed", failure, dlqId };
}

/** The report of a run's end that fails is told by the run's log, and by the entry of its failure. */
async function failReport(tx: Tx, row: MessageRow, failure: Failure, run: Run): Promise<Settled> {
  await endAlarm(tx, row);
  const message = toMessage(row);
  const report = messageFailureMessage({ message, failure, dlqId: run.dlqId ?? "" });
  if (report) await insertMessage(tx, report, { source: row });
  return { kind: "failed", failure, dlqId: undefined };
}

export async function recordFailure(
  tx: Tx,
  row: MessageRow,
  failure: Failure,
  excerpt: number,
): Promise<void> {
  const { at, error, byEngine, reply } = failure;
  await tx.run(sql`INSERT INTO failures (message, retried, at, error, by_engine, status, headers, body)
     VALUES (${row.seq}, ${row.retried}, ${at}, ${error}, ${byEngine ? 1 : 0}, ${reply?.status ?? null}, ${reply ? JSON.stringify(reply.headers) : null}, ${reply?.body.subarray(0, excerpt) ?? null})`);
  await logState(tx, row, "ERROR", { attempt: row.retried });
}

export async function keepReply(tx: Tx, seq: number, reply: Reply): Promise<void> {
  await tx.run(
    sql`UPDATE messages SET reply_status = ${reply.status}, reply_headers = ${JSON.stringify(reply.headers)}, reply_body = ${reply.body} WHERE seq = ${seq}`,
  );
}
