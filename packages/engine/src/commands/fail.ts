import { isSameUrl, parseFailure } from "@perdure/core/protocol";
import { fromBase64, toBytes, toText } from "../rules/bytes.ts";
import { ALARM_DELAY, type Failed, messageFailureMessage, runFailureMessage } from "../rules/failure.ts";
import { newMessageId } from "../rules/ids.ts";
import { type Draft, type Failure, isAfterwards, type Message, type Reply } from "../rules/message.ts";
import { haveRollback } from "../rules/rollback.ts";
import { deliveryOf, failureCallbackOf, hasFeature, type Run } from "../rules/run.ts";
import type { Settled } from "../store/store.ts";
import { finishMessage } from "../store/tables/due.ts";
import { history } from "../store/tables/entries.ts";
import { logState } from "../store/tables/logs.ts";
import { MESSAGES, type MessageRow, type RunRow, toMessage, toRun } from "../store/tables/rows.ts";
import { GREATEST, insert, sql, type Tx } from "../store/tx.ts";
import { finishRun } from "./finish-run.ts";
import { hasBegun, holdReport } from "./in-flight.ts";
import { insertMessage, runOf } from "./messages.ts";
import { endAlarm } from "./rollbacks.ts";

/** The end of a message, and of its run if it has one: all of it, here, in one transaction. */
export async function fail(tx: Tx, row: MessageRow, failure: Failure, excerpt: number): Promise<Settled> {
  await recordFailure(tx, row, failure, excerpt);
  await finishMessage(tx, row.seq, { outcome: "FAILED", deleteAfter: null });
  await logState(tx, row, "FAILED", { attempt: row.retried });
  if (isAfterwards(row.kind) && failure.reply) await keepReply(tx, row.seq, failure.reply);
  const run = await runOf(tx, row.run);
  if (run && isAfterwards(row.kind)) return await failReport(tx, row, failure, run);
  return { kind: "failed", failure, dlqId: await bury(tx, row, run, failure) };
}

/**
 * Enters a failed message in the dead letter queue, ends its run, and has both reported.
 *
 * @returns the dead letter's id
 */
async function bury(tx: Tx, row: MessageRow, run: Run | undefined, failure: Failure): Promise<string> {
  const message = toMessage(row);
  const key = await insertDeadLetter(tx, row, failure);
  const dlqId = `${failure.at}-${key}`;
  const end = { state: "RUN_FAILED", response: undefined } as const;
  if (run) await finishRun(tx, run.key, end);
  const failed: Failed = { message, failure, dlqId, sourceBody: await sourceBody(tx, message, row, run) };
  const callback = run ? await reportRun(tx, failed, run, row) : await reportMessage(tx, failed, row);
  await tx.run(sql`UPDATE dlq SET id = ${dlqId}, callback = ${callback ?? null} WHERE seq = ${key}`);
  if (run) await tx.run(sql`UPDATE runs SET dlq_id = ${dlqId} WHERE key = ${run.key}`);
  return dlqId;
}

async function reportMessage(tx: Tx, failed: Failed, source: MessageRow): Promise<number | undefined> {
  const report = messageFailureMessage(failed);
  return report && (await insertMessage(tx, report, { source }));
}

/**
 * To the workflow itself the report of its failure also asks for the rollbacks. Where it goes elsewhere, it is an alarm:
 * it waits for the rollbacks only where there may be any, and no longer than {@link ALARM_DELAY}.
 */
async function reportRun(tx: Tx, failed: Failed, run: Run, source: MessageRow): Promise<number> {
  const report = runFailureMessage(failed, run, failed.message.failureCallback ?? failureCallbackOf(run));
  const of = { run: run.key, source };
  if (isSameUrl(report.url, run.url)) {
    const callback = await insertMessage(tx, report, of);
    await holdReport(tx, run.key, callback);
    return callback;
  }
  if (!(await mayRollBack(tx, run, report))) return insertMessage(tx, report, of);
  // As the run's own deliveries: what was said of the report's is for its place alone.
  const own = runFailureMessage(failed, run, { url: run.url, options: undefined }, "rollback");
  const rollback = await insertMessage(tx, own, of);
  await holdReport(tx, run.key, rollback);
  const alarm = await insertMessage(tx, report, { ...of, awaits: rollback });
  const latest = failed.failure.at + ALARM_DELAY;
  await tx.run(sql`UPDATE due SET at = ${GREATEST}(at, ${latest}) WHERE message = ${alarm}`);
  tx.wakeAt(latest);
  return alarm;
}

/** Whether the workflow has to be asked for rollbacks: any step on record, or the one under way, may have one. */
async function mayRollBack(tx: Tx, run: Run, report: Draft): Promise<boolean> {
  // Only an endpoint of our own runtime has rollbacks; it says so with its first answer.
  if (run.traits === undefined) return false;
  const { step } = parseFailure(toText(report.body ?? new Uint8Array()));
  return step?.rollback === true || (await hasBegun(tx, run.key)) || haveRollback(await history(tx, run.key));
}

/** The report of a run's end that fails is told by the run's log, and by the entry of its failure. */
async function failReport(tx: Tx, row: MessageRow, failure: Failure, run: Run): Promise<Settled> {
  await endAlarm(tx, row);
  const message = toMessage(row);
  const report = messageFailureMessage({ message, failure, dlqId: run.dlqId ?? "" });
  if (report) await insertMessage(tx, report, { source: row });
  return { kind: "failed", failure, dlqId: undefined };
}

/** Runs that are looked at in one claim. */
const MOST = 100;

/** Fails the runs that have lived for longer than they may. */
export async function expireRuns(tx: Tx): Promise<void> {
  const rows = await tx.all<RunRow>(
    sql`SELECT * FROM runs WHERE deadline <= ${tx.now} AND state = 'RUN_STARTED' ORDER BY deadline LIMIT ${MOST}`,
  );
  for (const row of rows) {
    const run = toRun(row);
    const error = `the run has not ended within ${((row.deadline ?? tx.now) - run.createdAt) / 1000} s of its start`;
    const failure: Failure = { at: tx.now, error, reply: undefined, byEngine: true };
    const dlqId = await bury(tx, await insertFailed(tx, run), run, failure);
    tx.record({ type: "run.expired", runId: run.id, error, dlqId });
  }
}

/** When the next run is past its time. */
export async function nextExpiry(tx: Tx): Promise<number | undefined> {
  return (
    await tx.one<{ deadline: number }>(
      sql`SELECT deadline FROM runs WHERE deadline IS NOT NULL AND state = 'RUN_STARTED' ORDER BY deadline LIMIT 1`,
    )
  )?.deadline;
}

/** What stands for the delivery that failed, where none did. */
async function insertFailed(tx: Tx, run: Run): Promise<MessageRow> {
  const last = await tx.one<{ seq: number }>(sql`SELECT max(seq) AS seq FROM entries WHERE run = ${run.key}`);
  const draft = { ...deliveryOf(run, "step", tx.now), id: newMessageId(), notBefore: tx.now, retries: 0 };
  const seq = await insertMessage(tx, draft, { run: run.key, ...(last ? { entry: last.seq } : {}) });
  await logState(tx, { seq, kind: draft.purpose }, "FAILED");
  await finishMessage(tx, seq, { outcome: "FAILED", deleteAfter: null });
  return (await tx.one<MessageRow>(sql`${MESSAGES} WHERE messages.seq = ${seq}`)) as MessageRow;
}

async function insertDeadLetter(
  tx: Tx,
  row: MessageRow,
  { at, error, byEngine, reply }: Failure,
): Promise<number> {
  return insert(
    tx,
    sql`INSERT INTO dlq (id, message, run, created_at, error, by_engine, status, headers, body)
     VALUES (${row.id}, ${row.seq}, ${row.run}, ${at}, ${error}, ${byEngine ? 1 : 0}, ${reply?.status ?? null}, ${reply ? JSON.stringify(reply.headers) : null}, ${reply?.body ?? null})
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
