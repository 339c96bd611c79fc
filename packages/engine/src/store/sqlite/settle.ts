import { type CallEnd, toAnswer } from "../../domain/call.ts";
import type { Reply } from "../../domain/message.ts";
import type { Learned, Settlement } from "../../domain/outcome.ts";
import type { Lease, Settled } from "../store.ts";
import type { Database } from "./database.ts";
import { fail, keepReply, recordFailure } from "./failing.ts";
import { hasPending, reportCanceled } from "./finish.ts";
import { letGo } from "./flow.ts";
import { followUp } from "./follow-up.ts";
import { land } from "./landing.ts";
import { logState } from "./log.ts";
import { type Due, insertEntry, runOf } from "./messages.ts";
import { reportAttempt } from "./reports.ts";
import { endAlarm, learn, raiseAlarm, recordRollback } from "./rollbacks.ts";
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
  const held = heldBy(db, lease);
  if (!held) {
    const ended = land(db, lease, now, due);
    if (ended !== undefined) learnLate(db, ended, settlement, now, due);
    return { kind: "stale" };
  }
  if (held.run !== null) learn(db, held.run, settlement, due);
  const row = (settlement.traits !== undefined && heldBy(db, lease)) || held;
  reportAttempt(db, row, settlement, now, due);
  const settled = record(db, row, settlement, now, keeping, due);
  if (letGo(db, row.flow_key)) due(now);
  followUp(db, row, due);
  return settled;
}

function heldBy(db: Database, { seq, messageId, fence }: Lease): MessageRow | undefined {
  return db.get<MessageRow>(
    "SELECT * FROM messages WHERE seq = ? AND id = ? AND fence = ? AND state = 'ACTIVE'",
    seq,
    messageId,
    fence,
  );
}

/** Its endpoint's first answer came after a run had been cancelled: only now is it known what that wants. */
function learnLate(db: Database, key: number, learned: Learned, now: number, due: Due): void {
  const run = learned.traits === undefined ? undefined : runOf(db, key);
  if (!run || run.traits !== undefined) return;
  learn(db, key, learned, due);
  if (run.state === "RUN_CANCELED") reportCanceled(db, key, now, due);
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
      if (settlement.unheard) raiseAlarm(db, row, now, due);
      return { kind: "recorded" };
    case "failed":
      return fail(db, row, settlement.failure, keeping.excerpt, due);
    case "delivered":
      // The end of a run withdraws its deliveries: one that can be settled is of a live run.
      if (isDelivery(row) && row.run !== null && !hasPending(db, row.run, row.seq)) {
        return fail(db, row, settlement.stalled, keeping.excerpt, due);
      }
      deliver(db, row, settlement.reply, now, due);
      return { kind: "recorded" };
    case "called":
      return answer(db, row, settlement.end, keeping, due);
    case "rolledBack":
      recordRollback(db, row, settlement.record, now, due);
      return { kind: "recorded" };
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

function deliver(db: Database, row: MessageRow, reply: Reply, now: number, due: Due): void {
  const report = row.purpose === "cancel" || (row.purpose === "failure" && isTold(db, row.seq));
  db.run(
    "UPDATE messages SET state = 'DELIVERED', due_at = NULL, forget_at = ? WHERE seq = ?",
    // The answer to a report is part of what it reports.
    report ? null : now,
    row.seq,
  );
  logState(db, row, "DELIVERED", now);
  if (report) keepReply(db, row.seq, reply);
  endAlarm(db, row, now, due);
}

/** Whether the failure that a message reports is still in the queue, or in its run's log. */
function isTold(db: Database, report: number): boolean {
  return db.get("SELECT 1 FROM dlq WHERE callback = ?", report) !== undefined;
}
