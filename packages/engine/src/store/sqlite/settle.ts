import { type Failed, messageFailureMessage, runFailureMessage } from "../../domain/failure.ts";
import type { Failure, Message, Reply } from "../../domain/message.ts";
import type { Settlement } from "../../domain/outcome.ts";
import { hasFeature, type Run } from "../../domain/run.ts";
import type { Lease, Settled } from "../store.ts";
import { type Due, insertMessage } from "./accept.ts";
import { history } from "./claim.ts";
import type { Database } from "./database.ts";
import { fromBase64, type MessageRow, type RunRow, toMessage, toRun } from "./rows.ts";

/** What a settlement needs to know of the store's own settings. */
export interface Keeping {
  /** Milliseconds for which a message that was delivered can still be looked at. */
  readonly delivered: number;
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
  switch (settlement.kind) {
    case "retry":
      recordFailure(db, row, settlement.failure, keeping.excerpt);
      db.run(
        "UPDATE messages SET state = 'RETRY', due_at = ?, retried = retried + 1 WHERE seq = ?",
        settlement.dueAt,
        row.seq,
      );
      due(settlement.dueAt);
      return { kind: "recorded" };
    case "failed":
      return fail(db, row, settlement.failure, keeping, due);
    case "delivered": {
      // The end of a run withdraws its deliveries: one that can be settled is of a live run.
      if (row.purpose === "step" && row.run !== null && !hasPending(db, row.run, row.seq)) {
        return fail(db, row, settlement.stalled, keeping, due);
      }
      deliver(db, row, settlement.reply, now + keeping.delivered);
      return { kind: "recorded" };
    }
  }
}

/** Ends a live run, and withdraws what is pending of it. */
export function finishRun(
  db: Database,
  run: number,
  end: { readonly state: Run["state"]; readonly response: string | undefined },
  now: number,
): void {
  db.run(
    "UPDATE runs SET state = ?, completed_at = ?, response = ? WHERE key = ?",
    end.state,
    now,
    end.response ?? null,
    run,
  );
  db.run(
    `UPDATE messages SET state = 'CANCELLED', due_at = NULL, forget_at = ?
     WHERE run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL AND purpose = 'step'`,
    // The log of a run that ended badly shows what was withdrawn.
    end.state === "RUN_SUCCESS" ? now : null,
    run,
  );
}

/** Whether a run has something to do, other than the message at `except`. */
export function hasPending(db: Database, run: number, except = 0): boolean {
  const found = db.get(
    `SELECT 1 FROM messages
     WHERE run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL AND purpose = 'step' AND seq <> ? LIMIT 1`,
    run,
    except,
  );
  return found !== undefined;
}

function deliver(db: Database, row: MessageRow, reply: Reply, forgetAt: number): void {
  const report = row.purpose === "failure";
  db.run(
    "UPDATE messages SET state = 'DELIVERED', due_at = NULL, forget_at = ? WHERE seq = ?",
    // The answer to a failure's report is part of the failure's record.
    report ? null : forgetAt,
    row.seq,
  );
  if (report) keepReply(db, row.seq, reply);
}

/** The end of a message, and of its run if it has one: all of it, here, in one transaction. */
function fail(db: Database, row: MessageRow, failure: Failure, keeping: Keeping, due: Due): Settled {
  recordFailure(db, row, failure, keeping.excerpt);
  db.run("UPDATE messages SET state = 'FAILED', due_at = NULL WHERE seq = ?", row.seq);
  if (row.purpose === "failure") {
    // A failure's report that fails is told by the entry of the failure itself.
    if (failure.reply) keepReply(db, row.seq, failure.reply);
    return { kind: "failed", failure, dlqId: undefined };
  }
  const message = toMessage(row);
  const run =
    row.run === null
      ? undefined
      : toRun(db.get<RunRow>("SELECT * FROM runs WHERE key = ?", row.run) as RunRow);
  const { key } = insertDeadLetter(db, row, failure);
  const dlqId = `${failure.at}-${key}`;
  if (run) finishRun(db, run.key, { state: "RUN_FAILED", response: undefined }, failure.at);
  const failed: Failed = { message, failure, dlqId, sourceBody: sourceBody(db, message, row, run) };
  const report = run ? runFailureMessage(failed, run) : messageFailureMessage(failed);
  const callback = report && insertMessage(db, report, due, run && { run: run.key });
  db.run("UPDATE dlq SET id = ?, callback = ? WHERE seq = ?", dlqId, callback ?? null, key);
  if (run) db.run("UPDATE runs SET dlq_id = ? WHERE key = ?", dlqId, run.key);
  return { kind: "failed", failure, dlqId };
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
  return new TextEncoder().encode(JSON.stringify(entries));
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
