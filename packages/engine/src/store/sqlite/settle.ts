import { fromBase64, toBytes } from "../../domain/bytes.ts";
import { type CallEnd, toAnswer } from "../../domain/call.ts";
import { type Failed, messageFailureMessage, runFailureMessage } from "../../domain/failure.ts";
import type { Failure, Message, Reply } from "../../domain/message.ts";
import type { Settlement } from "../../domain/outcome.ts";
import { hasFeature, type Run } from "../../domain/run.ts";
import type { Lease, Settled } from "../store.ts";
import { history } from "./claim.ts";
import type { Database } from "./database.ts";
import { finishRun, hasPending } from "./finish.ts";
import { letGo } from "./flow.ts";
import { followUp } from "./follow-up.ts";
import { logState } from "./log.ts";
import { type Due, insertEntry, insertMessage, runOf } from "./messages.ts";
import { reportAttempt } from "./reports.ts";
import { type MessageRow, toMessage } from "./rows.ts";

/** What a settlement needs to know of the store's own settings. */
export interface Keeping {
  /** Bytes of an answer that the record of a failed attempt keeps. */
  readonly excerpt: number;
}

export function settle(
  db: Database,
  lease: Lease,
  settlement: Settlement,
  now: number,
  keeping: Keeping,
  due: Due,
): Settled {
  const row = db.get<MessageRow>(
    "SELECT * FROM messages WHERE seq = ? AND id = ? AND fence = ? AND state = 'ACTIVE'",
    lease.seq,
    lease.messageId,
    lease.fence,
  );
  if (!row) return { kind: "stale" };
  reportAttempt(db, row, settlement, now, due);
  const settled = record(db, row, settlement, now, keeping, due);
  if (letGo(db, row.flow_key)) due(now);
  followUp(db, row, due);
  return settled;
}

function record(
  db: Database,
  row: MessageRow,
  settlement: Settlement,
  now: number,
  keeping: Keeping,
  due: Due,
): Settled {
  switch (settlement.kind) {
    case "retry":
      recordFailure(db, row, settlement.failure, keeping.excerpt);
      db.run(
        "UPDATE messages SET state = 'RETRY', due_at = ?, retried = retried + 1 WHERE seq = ?",
        settlement.dueAt,
        row.seq,
      );
      logState(db, row, "RETRY", settlement.failure.at, { dueAt: settlement.dueAt });
      due(settlement.dueAt);
      return { kind: "recorded" };
    case "failed":
      return fail(db, row, settlement.failure, keeping, due);
    case "delivered":
      // The end of a run withdraws its deliveries: one that can be settled is of a live run.
      if (isDelivery(row) && row.run !== null && !hasPending(db, row.run, row.seq)) {
        return fail(db, row, settlement.stalled, keeping, due);
      }
      deliver(db, row, settlement.reply, now);
      return { kind: "recorded" };
    case "called":
      return answer(db, row, settlement.end, keeping, due);
  }
}

/** It brings the workflow something, and is to have it go on. */
function isDelivery({ purpose }: MessageRow): boolean {
  return purpose === "step" || purpose === "answer";
}

/** The end of a call: its answer goes on record, and to the workflow. */
function answer(db: Database, row: MessageRow, end: CallEnd, keeping: Keeping, due: Due): Settled {
  if (end.failure) recordFailure(db, row, end.failure, keeping.excerpt);
  // Kept for the run's log.
  db.run("UPDATE messages SET state = 'DELIVERED', due_at = NULL WHERE seq = ?", row.seq);
  logState(
    db,
    row,
    end.failure ? "FAILED" : "DELIVERED",
    end.at,
    end.failure ? { attempt: row.retried } : {},
  );
  const run = runOf(db, row.run);
  if (!run) return { kind: "recorded" };
  const { key, body, message } = toAnswer(toMessage(row), run, end);
  insertEntry(db, run, { key, callType: "fromCallback", body }, message, due);
  return { kind: "recorded" };
}

function deliver(db: Database, row: MessageRow, reply: Reply, now: number): void {
  const report = row.purpose === "failure" && isTold(db, row.seq);
  db.run(
    "UPDATE messages SET state = 'DELIVERED', due_at = NULL, forget_at = ? WHERE seq = ?",
    // The answer to a failure's report is part of the failure's record.
    report ? null : now,
    row.seq,
  );
  logState(db, row, "DELIVERED", now);
  if (report) keepReply(db, row.seq, reply);
}

/** Whether the failure that a message reports is still in the queue, or in its run's log. */
function isTold(db: Database, report: number): boolean {
  return db.get("SELECT 1 FROM dlq WHERE callback = ?", report) !== undefined;
}

/** The end of a message, and of its run if it has one: all of it, here, in one transaction. */
function fail(db: Database, row: MessageRow, failure: Failure, keeping: Keeping, due: Due): Settled {
  recordFailure(db, row, failure, keeping.excerpt);
  db.run("UPDATE messages SET state = 'FAILED', due_at = NULL WHERE seq = ?", row.seq);
  logState(db, row, "FAILED", failure.at, { attempt: row.retried });
  if (row.purpose === "failure" && failure.reply) keepReply(db, row.seq, failure.reply);
  const message = toMessage(row);
  const run = runOf(db, row.run);
  if (run && row.purpose === "failure") return failReport(db, row.seq, message, failure, run, due);
  const { key } = insertDeadLetter(db, row, failure);
  const dlqId = `${failure.at}-${key}`;
  const end = { state: "RUN_FAILED", response: undefined } as const;
  const recorded = run ? finishRun(db, run.key, end, failure.at, due) : [];
  const failed: Failed = { message, failure, dlqId, sourceBody: sourceBody(db, message, row, run) };
  const report = run ? runFailureMessage(failed, run) : messageFailureMessage(failed);
  const callback = report && insertMessage(db, report, due, { run: run?.key, source: row.seq });
  db.run("UPDATE dlq SET id = ?, callback = ? WHERE seq = ?", dlqId, callback ?? null, key);
  if (run) db.run("UPDATE runs SET dlq_id = ? WHERE key = ?", dlqId, run.key);
  return { kind: "failed", failure, dlqId, recorded };
}

/** The report of a run's failure that fails is told by the entry of that failure. */
function failReport(
  db: Database,
  source: number,
  message: Message,
  failure: Failure,
  run: Run,
  due: Due,
): Settled {
  const report = messageFailureMessage({ message, failure, dlqId: run.dlqId ?? "" });
  if (report) insertMessage(db, report, due, { source });
  return { kind: "failed", failure, dlqId: undefined, recorded: [] };
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

function recordFailure(db: Database, row: MessageRow, failure: Failure, excerpt: number): void {
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

function keepReply(db: Database, seq: number, reply: Reply): void {
  db.run(
    "UPDATE messages SET reply_status = ?, reply_headers = ?, reply_body = ? WHERE seq = ?",
    reply.status,
    JSON.stringify(reply.headers),
    reply.body,
    seq,
  );
}
