import type { CallType } from "@perdure/core/protocol";
import { isUnhandled } from "../../domain/outcome.ts";
import type { Run } from "../../domain/run.ts";
import {
  type CallbackReport,
  callbackState,
  type DeadLetter,
  type PendingMessage,
  type RecordedEntry,
  type RunLog,
  type StoredMessage,
} from "../store.ts";
import type { Database } from "./database.ts";
import {
  type FailureRow,
  fromBase64,
  type MessageRow,
  type RunRow,
  toFailure,
  toMessage,
  toReply,
  toRun,
} from "./rows.ts";

export interface DeadLetterRow extends FailureRow {
  readonly id: string;
  readonly message: number;
  readonly run: number | null;
  readonly callback: number | null;
}

/** The columns of a {@link DeadLetterRow}; the table is named `dlq`. */
export const DEAD_LETTER =
  "dlq.seq, dlq.id, dlq.message, dlq.run, dlq.callback, dlq.created_at AS at, dlq.error, dlq.by_engine, dlq.status, dlq.headers, dlq.body";

export function message(db: Database, id: string, now: number): StoredMessage | undefined {
  const row = db.get<MessageRow>(
    `SELECT * FROM messages
     WHERE id = ? AND (due_at IS NOT NULL OR (state = 'DELIVERED' AND coalesce(forget_at, 0) > ?))`,
    id,
    now,
  );
  return row && { message: toMessage(row), run: runOf(db, row.run), entry: entryOf(db, row) };
}

export function runLog(db: Database, row: RunRow): RunLog {
  const entries = db.all<{ message: string; body: string; call_type: CallType; created_at: number }>(
    "SELECT message, body, call_type, created_at FROM entries WHERE run = ? ORDER BY seq",
    row.key,
  );
  const messages = db.all<MessageRow>(
    "SELECT * FROM messages WHERE run = ? AND state <> 'DELIVERED' AND purpose = 'step' ORDER BY seq",
    row.key,
  );
  const dead = db.get<DeadLetterRow>(`SELECT ${DEAD_LETTER} FROM dlq WHERE run = ?`, row.key);
  return {
    run: toRun(row),
    entries: entries.map(
      (entry): RecordedEntry => ({
        messageId: entry.message,
        body: entry.body,
        callType: entry.call_type,
        createdAt: entry.created_at,
      }),
    ),
    messages: messages.map(
      (pending): PendingMessage => ({ message: toMessage(pending), failures: failuresOf(db, pending.seq) }),
    ),
    failure: dead && deadLetter(db, dead),
  };
}

export function deadLetter(db: Database, row: DeadLetterRow): DeadLetter {
  const dead = db.get<MessageRow>("SELECT * FROM messages WHERE seq = ?", row.message) as MessageRow;
  return {
    dlqId: row.id,
    createdAt: row.at,
    message: toMessage(dead),
    run: runOf(db, row.run),
    body: entryOf(db, dead) ?? dead.body ?? undefined,
    failure: toFailure(row),
    callback: row.callback === null ? undefined : callback(db, row.callback),
  };
}

function callback(db: Database, seq: number): CallbackReport {
  const row = db.get<MessageRow>("SELECT * FROM messages WHERE seq = ?", seq) as MessageRow;
  const reply = toReply(row.reply_status, row.reply_headers, row.reply_body);
  return {
    message: toMessage(row),
    state: callbackState(row.state, reply !== undefined && isUnhandled(reply)),
    reply,
    failures: failuresOf(db, seq),
  };
}

function failuresOf(db: Database, message: number): PendingMessage["failures"] {
  return db
    .all<FailureRow>("SELECT * FROM failures WHERE message = ? ORDER BY retried", message)
    .map(toFailure);
}

function runOf(db: Database, key: number | null): Run | undefined {
  const row = key === null ? undefined : db.get<RunRow>("SELECT * FROM runs WHERE key = ?", key);
  return row && toRun(row);
}

function entryOf(db: Database, { entry }: MessageRow): Uint8Array | undefined {
  const row =
    entry === null ? undefined : db.get<{ body: string }>("SELECT body FROM entries WHERE seq = ?", entry);
  return row && fromBase64(row.body);
}
