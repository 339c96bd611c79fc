import { fromBase64, toBytes } from "../rules/bytes.ts";
import { type Failed, messageFailureMessage } from "../rules/failure.ts";
import { groupOf } from "../rules/fingerprint.ts";
import type { Failure, Message } from "../rules/message.ts";
import { hasFeature, type Run } from "../rules/run.ts";
import { history } from "../store/tables/entries.ts";
import { type MessageRow, toMessage } from "../store/tables/rows.ts";
import { insert, sql, type Tx } from "../store/tx.ts";
import { insertMessage } from "./insert-message.ts";
import { reportRunFailure } from "./report-failure.ts";

/**
 * Stores the dead letter of a failed message, and of the run that it is a delivery of:
 *
 * 1. The dead letter keeps the failure. Its id is the time of the failure and its key.
 * 2. A report of the failure is stored, where the run or the message has one.
 * 3. The dead letter names its report, and the run its dead letter.
 *
 * @returns the dead letter's id
 */
export async function moveToDeadLetters(
  tx: Tx,
  row: MessageRow,
  failure: Failure,
  run?: Run,
): Promise<string> {
  const message = toMessage(row);
  const key = await insertDeadLetter(tx, row, failure);
  const dlqId = `${failure.at}-${key}`;
  const failed: Failed = { message, failure, dlqId, sourceBody: await sourceBody(tx, message, row, run) };
  const report = run
    ? await reportRunFailure(tx, failed, run, row)
    : await reportMessageFailure(tx, failed, row);
  await tx.run(sql`UPDATE dlq SET id = ${dlqId}, callback = ${report ?? null} WHERE seq = ${key}`);
  if (run) await tx.run(sql`UPDATE runs SET dlq_id = ${dlqId} WHERE key = ${run.key}`);
  return dlqId;
}

async function reportMessageFailure(tx: Tx, failed: Failed, source: MessageRow): Promise<number | undefined> {
  const report = messageFailureMessage(failed);
  return report && (await insertMessage(tx, report, { source }));
}

async function insertDeadLetter(tx: Tx, row: MessageRow, failure: Failure): Promise<number> {
  const { at, error, byEngine, reply } = failure;
  const group = groupOf(failure, row.url);
  return insert(
    tx,
    sql`INSERT INTO dlq (id, message, run, created_at, error, by_engine, status, headers, body, fingerprint,
       error_name, pattern, step)
     VALUES (${row.id}, ${row.seq}, ${row.run}, ${at}, ${error}, ${byEngine ? 1 : 0}, ${reply?.status ?? null}, ${reply ? JSON.stringify(reply.headers) : null}, ${reply?.body ?? null},
       ${group.fingerprint}, ${group.errorName}, ${group.pattern}, ${group.step ?? null})
     RETURNING seq AS key`,
  );
}

async function sourceBody(
  tx: Tx,
  message: Message,
  row: MessageRow,
  run: Run | undefined,
): Promise<Uint8Array> {
  if (!run || row.entry === null) return message.body ?? new Uint8Array();
  const entries = await history(tx, run.key, row.entry);
  if (hasFeature(run.config, "InitialBody")) return fromBase64(entries[0]?.body ?? "");
  return toBytes(JSON.stringify(entries));
}
