import { isSameUrl, parseFailure } from "@perdure/core/protocol";
import { fromBase64, toBytes, toText } from "../../domain/bytes.ts";
import { ALARM_DELAY, type Failed, messageFailureMessage, runFailureMessage } from "../../domain/failure.ts";
import { newMessageId } from "../../domain/ids.ts";
import { type Draft, type Failure, isAfterwards, type Message, type Reply } from "../../domain/message.ts";
import { haveRollback } from "../../domain/rollback.ts";
import { deliveryOf, failureCallbackOf, hasFeature, type Run } from "../../domain/run.ts";
import type { ExpiredRun, RecordedStep, Settled } from "../store.ts";
import type { Database } from "./database.ts";
import { finishRun } from "./finish.ts";
import { history } from "./history.ts";
import { hasBegun, holdReport } from "./landing.ts";
import { logState } from "./log.ts";
import { type Due, insertMessage, runOf } from "./messages.ts";
import { endAlarm } from "./rollbacks.ts";
import { type MessageRow, type RunRow, toMessage, toRun } from "./rows.ts";

/** The end of a message, and of its run if it has one: all of it, here, in one transaction. */
export function fail(db: Database, row: MessageRow, failure: Failure, excerpt: number, due: Due): Settled {
  recordFailure(db, row, failure, excerpt);
  db.run("UPDATE messages SET state = 'FAILED', due_at = NULL WHERE seq = ?", row.seq);
  logState(db, row, "FAILED", failure.at, { attempt: row.retried });
  if (isAfterwards(row.purpose) && failure.reply) keepReply(db, row.seq, failure.reply);
  const run = runOf(db, row.run);
  if (run && isAfterwards(row.purpose)) return failReport(db, row, failure, run, due);
  const { dlqId, recorded } = bury(db, row, run, failure, due);
  return { kind: "failed", failure, dlqId, recorded };
}

/** Enters a failed message in the dead letter queue, ends its run, and has both reported. */
function bury(
  db: Database,
  row: MessageRow,
  run: Run | undefined,
  failure: Failure,
  due: Due,
): { readonly dlqId: string; readonly recorded: RecordedStep[] } {
  const message = toMessage(row);
  const { key } = insertDeadLetter(db, row, failure);
  const dlqId = `${failure.at}-${key}`;
  const end = { state: "RUN_FAILED", response: undefined } as const;
  const recorded = run ? finishRun(db, run.key, end, failure.at, due) : [];
  const failed: Failed = { message, failure, dlqId, sourceBody: sourceBody(db, message, row, run) };
  const callback = run ? reportRun(db, failed, run, row.seq, due) : reportMessage(db, failed, row.seq, due);
  db.run("UPDATE dlq SET id = ?, callback = ? WHERE seq = ?", dlqId, callback ?? null, key);
  if (run) db.run("UPDATE runs SET dlq_id = ? WHERE key = ?", dlqId, run.key);
  return { dlqId, recorded };
}

function reportMessage(db: Database, failed: Failed, source: number, due: Due): number | undefined {
  const report = messageFailureMessage(failed);
  return report && insertMessage(db, report, due, { source });
}

/**
 * To the workflow itself the report of its failure also asks for the rollbacks. Where it goes elsewhere, it is an alarm:
 * it waits for the rollbacks only where there may be any, and no longer than {@link ALARM_DELAY}.
 */
function reportRun(db: Database, failed: Failed, run: Run, source: number, due: Due): number {
  const report = runFailureMessage(failed, run, failed.message.failureCallback ?? failureCallbackOf(run));
  const callback = insertMessage(db, report, due, { run: run.key, source });
  if (isSameUrl(report.url, run.url)) {
    holdReport(db, run.key, callback);
    return callback;
  }
  if (!mayRollBack(db, run, report)) return callback;
  const latest = failed.failure.at + ALARM_DELAY;
  db.run("UPDATE messages SET due_at = max(due_at, ?) WHERE seq = ?", latest, callback);
  due(latest);
  // As the run's own deliveries: what was said of the report's is for its place alone.
  const own = runFailureMessage(failed, run, { url: run.url, options: undefined }, "rollback");
  const seq = insertMessage(db, own, due, { run: run.key, source });
  db.run("UPDATE messages SET next = ? WHERE seq = ?", callback, seq);
  holdReport(db, run.key, seq);
  return callback;
}

/** Whether the workflow has to be asked for rollbacks: any step on record, or the one under way, may have one. */
function mayRollBack(db: Database, run: Run, report: Draft): boolean {
  // Only an endpoint of our own runtime has rollbacks; it says so with its first answer.
  if (run.traits === undefined) return false;
  const { step } = parseFailure(toText(report.body ?? new Uint8Array()));
  return step?.rollback === true || hasBegun(db, run.key) || haveRollback(history(db, run.key));
}

/** The report of a run's end that fails is told by the run's log, and by the entry of its failure. */
function failReport(db: Database, row: MessageRow, failure: Failure, run: Run, due: Due): Settled {
  endAlarm(db, row, failure.at, due);
  const message = toMessage(row);
  const report = messageFailureMessage({ message, failure, dlqId: run.dlqId ?? "" });
  if (report) insertMessage(db, report, due, { source: row.seq });
  return { kind: "failed", failure, dlqId: undefined, recorded: [] };
}

/** Runs that are looked at in one claim. */
const MOST = 100;

/** Fails the runs that have lived for longer than they may. */
export function expireRuns(
  db: Database,
  now: number,
  due: Due,
): { expired: ExpiredRun[]; recorded: RecordedStep[] } {
  const rows = db.all<RunRow>(
    "SELECT * FROM runs WHERE deadline <= ? AND state = 'RUN_STARTED' ORDER BY deadline LIMIT ?",
    now,
    MOST,
  );
  const expired: ExpiredRun[] = [];
  const recorded: RecordedStep[] = [];
  for (const row of rows) {
    const run = toRun(row);
    const error = `the run has not ended within ${((row.deadline ?? now) - run.createdAt) / 1000} s of its start`;
    const failure: Failure = { at: now, error, reply: undefined, byEngine: true };
    const told = bury(db, insertFailed(db, run, now), run, failure, due);
    expired.push({ runId: run.id, error, dlqId: told.dlqId });
    recorded.push(...told.recorded);
  }
  return { expired, recorded };
}

/** When the next run is past its time. */
export function nextExpiry(db: Database): number | undefined {
  return db.get<{ deadline: number }>(
    "SELECT deadline FROM runs WHERE deadline IS NOT NULL AND state = 'RUN_STARTED' ORDER BY deadline LIMIT 1",
  )?.deadline;
}

/** What stands for the delivery that failed, where none did. */
function insertFailed(db: Database, run: Run, now: number): MessageRow {
  const last = db.get<{ seq: number }>("SELECT max(seq) AS seq FROM entries WHERE run = ?", run.key);
  const draft = { ...deliveryOf(run, "step", now), id: newMessageId(), notBefore: now, retries: 0 };
  const seq = insertMessage(db, draft, () => {}, { run: run.key, ...(last ? { entry: last.seq } : {}) });
  logState(db, { seq, purpose: draft.purpose }, "FAILED", now);
  return db.get<MessageRow>(
    "UPDATE messages SET state = 'FAILED', due_at = NULL WHERE seq = ? RETURNING *",
    seq,
  ) as MessageRow;
}

function insertDeadLetter(
  db: Database,
  row: MessageRow,
  { at, error, byEngine, reply }: Failure,
): { key: number } {
  return db.run(
    `INSERT INTO dlq (id, message, run, created_at, error, by_engine, status, headers, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    row.seq,
    row.run,
    at,
    error,
    byEngine ? 1 : 0,
    reply?.status ?? null,
    reply ? JSON.stringify(reply.headers) : null,
    reply?.body ?? null,
  );
}

function sourceBody(db: Database, message: Message, row: MessageRow, run: Run | undefined): Uint8Array {
  if (!run || row.entry === null) return message.body ?? new Uint8Array();
  const entries = history(db, run.key, row.entry);
  if (hasFeature(run.config, "InitialBody")) return fromBase64(entries[0]?.body ?? "");
  return toBytes(JSON.stringify(entries));
}

export function recordFailure(db: Database, row: MessageRow, failure: Failure, excerpt: number): void {
  const { at, error, byEngine, reply } = failure;
  db.run(
    `INSERT INTO failures (message, retried, at, error, by_engine, status, headers, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    row.seq,
    row.retried,
    at,
    error,
    byEngine ? 1 : 0,
    reply?.status ?? null,
    reply ? JSON.stringify(reply.headers) : null,
    reply?.body.subarray(0, excerpt) ?? null,
  );
  logState(db, row, "ERROR", at, { attempt: row.retried });
}

export function keepReply(db: Database, seq: number, reply: Reply): void {
  db.run(
    "UPDATE messages SET reply_status = ?, reply_headers = ?, reply_body = ? WHERE seq = ?",
    reply.status,
    JSON.stringify(reply.headers),
    reply.body,
    seq,
  );
}
