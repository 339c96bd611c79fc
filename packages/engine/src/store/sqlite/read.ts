import type { CallType } from "@perdure/core/protocol";
import { isUnhandled } from "../../domain/answer.ts";
import { fromBase64 } from "../../domain/bytes.ts";
import type { Message } from "../../domain/message.ts";
import type { WaitIntake } from "../../domain/wait.ts";
import {
  type CallbackReport,
  type Child,
  callbackState,
  type DeadLetter,
  type PendingMessage,
  type RecordedEntry,
  type RunLog,
  type StoredMessage,
} from "../lists.ts";
import type { Database } from "./database.ts";
import { runOf } from "./messages.ts";
import { rollbacksOf } from "./rollbacks.ts";
import {
  type FailureRow,
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
  readonly removed: number;
}

/** The columns of a {@link DeadLetterRow}; the table is named `dlq`. */
export const DEAD_LETTER =
  "dlq.seq, dlq.id, dlq.message, dlq.run, dlq.callback, dlq.removed, dlq.created_at AS at, dlq.error, dlq.by_engine, dlq.status, dlq.headers, dlq.body";

export function message(db: Database, id: string, since: number): StoredMessage | undefined {
  const row = db.get<MessageRow>(
    `SELECT * FROM messages
     WHERE id = ? AND (due_at IS NOT NULL OR (state = 'DELIVERED' AND coalesce(forget_at, 0) > ?) OR (state = 'FAILED'
       AND EXISTS (SELECT 1 FROM dlq WHERE message = messages.seq AND removed = 0 AND created_at > ?)))`,
    id,
    since,
    since,
  );
  return row && { message: toMessage(row), run: runOf(db, row.run), entry: entryOf(db, row) };
}

export function runLog(db: Database, row: RunRow): RunLog {
  const messages = db.all<MessageRow>(
    `SELECT * FROM messages WHERE run = ? AND state <> 'DELIVERED'
       AND purpose NOT IN ('failure', 'rollback', 'cancel') ORDER BY seq`,
    row.key,
  );
  const dead = db.get<DeadLetterRow>(`SELECT ${DEAD_LETTER} FROM dlq WHERE run = ?`, row.key);
  const entries = entriesOf(db, row.key);
  return {
    run: toRun(row),
    entries,
    messages: messages.map(
      (pending): PendingMessage => ({ message: toMessage(pending), failures: failuresOf(db, pending.seq) }),
    ),
    failure: dead && deadLetter(db, dead),
    cancel: cancelOf(db, row.key),
    rollbacks: rollbacksOf(db, row.key),
    calls: callsOf(db, entries),
    waits: waitsOf(db, row.key),
    children: childrenOf(db, row.key),
  };
}

function cancelOf(db: Database, run: number): CallbackReport | undefined {
  const row = db.get<{ seq: number }>("SELECT seq FROM messages WHERE run = ? AND purpose = 'cancel'", run);
  return row && callback(db, row.seq);
}

function entriesOf(db: Database, run: number): RecordedEntry[] {
  return db
    .all<{ record: string; message: string; body: string; call_type: CallType; created_at: number }>(
      "SELECT record, message, body, call_type, created_at FROM entries WHERE run = ? ORDER BY seq",
      run,
    )
    .map((entry) => ({
      key: entry.record,
      messageId: entry.message,
      body: entry.body,
      callType: entry.call_type,
      createdAt: entry.created_at,
    }));
}

function callsOf(db: Database, entries: readonly RecordedEntry[]): RunLog["calls"] {
  const calls = new Map<string, Message>();
  for (const { callType, messageId } of entries) {
    if (callType !== "toCallback") continue;
    const call = db.get<MessageRow>("SELECT * FROM messages WHERE id = ?", messageId);
    if (call) calls.set(messageId, toMessage(call));
  }
  return calls;
}

function waitsOf(db: Database, run: number): RunLog["waits"] {
  const rows = db.all<{ record: string; open: number; wait: string; created_at: number }>(
    "SELECT record, open, wait, created_at FROM waiters WHERE run = ?",
    run,
  );
  return new Map(
    rows.map(({ record, open, wait, created_at }) => [
      record,
      { wait: JSON.parse(wait) as WaitIntake, open: open === 1, createdAt: created_at },
    ]),
  );
}

function childrenOf(db: Database, parent: number): RunLog["children"] {
  const rows = db.all<RunRow>("SELECT * FROM runs WHERE parent = ? ORDER BY key", parent);
  return new Map(
    rows.map((row): [string, Child] => {
      const first = db.get<{ body: string }>(
        "SELECT body FROM entries WHERE run = ? ORDER BY seq LIMIT 1",
        row.key,
      );
      return [row.parent_record ?? "", { run: toRun(row), payload: fromBase64(first?.body ?? "") }];
    }),
  );
}

export function deadLetter(db: Database, row: DeadLetterRow): DeadLetter {
  const dead = db.get<MessageRow>("SELECT * FROM messages WHERE seq = ?", row.message) as MessageRow;
  return {
    dlqId: row.id,
    createdAt: row.at,
    message: toMessage(dead),
    run: runOf(db, row.run),
    body: bodyOf(db, dead),
    failure: toFailure(row),
    callback: row.callback === null ? undefined : callback(db, row.callback),
    rollbacks: row.run === null ? [] : rollbacksOf(db, row.run),
    removed: row.removed === 1,
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

/** What a message carries, wherever it is kept. */
export function bodyOf(db: Database, row: MessageRow): Uint8Array | undefined {
  return entryOf(db, row) ?? row.body ?? undefined;
}

function entryOf(db: Database, { entry }: MessageRow): Uint8Array | undefined {
  const row =
    entry === null ? undefined : db.get<{ body: string }>("SELECT body FROM entries WHERE seq = ?", entry);
  return row && fromBase64(row.body);
}
