import type { CallType } from "@perdure/core/protocol";
import { isUnhandled } from "../../domain/answer.ts";
import { fromBase64 } from "../../domain/bytes.ts";
import type { Message } from "../../domain/message.ts";
import type { WaitIntake } from "../../domain/wait.ts";
import * as inOrder from "../in-order.ts";
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
import { sql, type Tx } from "../tx.ts";
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

export async function message(tx: Tx, id: string, since: number): Promise<StoredMessage | undefined> {
  const row = await tx.one<MessageRow>(sql`SELECT * FROM messages
     WHERE id = ${id} AND (due_at IS NOT NULL OR (state = 'DELIVERED' AND coalesce(forget_at, 0) > ${since}) OR (state = 'FAILED'
       AND EXISTS (SELECT 1 FROM dlq WHERE message = messages.seq AND removed = 0 AND created_at > ${since})))`);
  return row && { message: toMessage(row), run: await runOf(tx, row.run), entry: await entryOf(tx, row) };
}

export async function runLog(tx: Tx, row: RunRow): Promise<RunLog> {
  const messages =
    await tx.all<MessageRow>(sql`SELECT * FROM messages WHERE run = ${row.key} AND state <> 'DELIVERED'
       AND purpose NOT IN ('failure', 'rollback', 'cancel') ORDER BY seq`);
  const dead = await tx.one<DeadLetterRow>(sql`SELECT ${DEAD_LETTER} FROM dlq WHERE run = ${row.key}`);
  const entries = await entriesOf(tx, row.key);
  return {
    run: toRun(row),
    entries,
    messages: await inOrder.map(
      messages,
      async (pending): Promise<PendingMessage> => ({
        message: toMessage(pending),
        failures: await failuresOf(tx, pending.seq),
      }),
    ),
    failure: dead && (await deadLetter(tx, dead)),
    cancel: await cancelOf(tx, row.key),
    rollbacks: await rollbacksOf(tx, row.key),
    calls: await callsOf(tx, entries),
    waits: await waitsOf(tx, row.key),
    children: await childrenOf(tx, row.key),
  };
}

async function cancelOf(tx: Tx, run: number): Promise<CallbackReport | undefined> {
  const row = await tx.one<{ seq: number }>(
    sql`SELECT seq FROM messages WHERE run = ${run} AND purpose = 'cancel'`,
  );
  return row && (await callback(tx, row.seq));
}

async function entriesOf(tx: Tx, run: number): Promise<RecordedEntry[]> {
  return (
    await tx.all<{ record: string; message: string; body: string; call_type: CallType; created_at: number }>(
      sql`SELECT record, message, body, call_type, created_at FROM entries WHERE run = ${run} ORDER BY seq`,
    )
  ).map((entry) => ({
    key: entry.record,
    messageId: entry.message,
    body: entry.body,
    callType: entry.call_type,
    createdAt: entry.created_at,
  }));
}

async function callsOf(tx: Tx, entries: readonly RecordedEntry[]): Promise<RunLog["calls"]> {
  const calls = new Map<string, Message>();
  for (const { callType, messageId } of entries) {
    if (callType !== "toCallback") continue;
    const call = await tx.one<MessageRow>(sql`SELECT * FROM messages WHERE id = ${messageId}`);
    if (call) calls.set(messageId, toMessage(call));
  }
  return calls;
}

async function waitsOf(tx: Tx, run: number): Promise<RunLog["waits"]> {
  const rows = await tx.all<{ record: string; open: number; wait: string; created_at: number }>(
    sql`SELECT record, open, wait, created_at FROM waiters WHERE run = ${run}`,
  );
  return new Map(
    rows.map(({ record, open, wait, created_at }) => [
      record,
      { wait: JSON.parse(wait) as WaitIntake, open: open === 1, createdAt: created_at },
    ]),
  );
}

async function childrenOf(tx: Tx, parent: number): Promise<RunLog["children"]> {
  const rows = await tx.all<RunRow>(sql`SELECT * FROM runs WHERE parent = ${parent} ORDER BY key`);
  return new Map(
    await inOrder.map(rows, async (row): Promise<[string, Child]> => {
      const first = await tx.one<{ body: string }>(
        sql`SELECT body FROM entries WHERE run = ${row.key} ORDER BY seq LIMIT 1`,
      );
      return [row.parent_record ?? "", { run: toRun(row), payload: fromBase64(first?.body ?? "") }];
    }),
  );
}

export async function deadLetter(tx: Tx, row: DeadLetterRow): Promise<DeadLetter> {
  const dead = (await tx.one<MessageRow>(
    sql`SELECT * FROM messages WHERE seq = ${row.message}`,
  )) as MessageRow;
  return {
    dlqId: row.id,
    createdAt: row.at,
    message: toMessage(dead),
    run: await runOf(tx, row.run),
    body: await bodyOf(tx, dead),
    failure: toFailure(row),
    callback: row.callback === null ? undefined : await callback(tx, row.callback),
    rollbacks: row.run === null ? [] : await rollbacksOf(tx, row.run),
    removed: row.removed === 1,
  };
}

async function callback(tx: Tx, seq: number): Promise<CallbackReport> {
  const row = (await tx.one<MessageRow>(sql`SELECT * FROM messages WHERE seq = ${seq}`)) as MessageRow;
  const reply = toReply(row.reply_status, row.reply_headers, row.reply_body);
  return {
    message: toMessage(row),
    state: callbackState(row.state, reply !== undefined && isUnhandled(reply)),
    reply,
    failures: await failuresOf(tx, seq),
  };
}

async function failuresOf(tx: Tx, message: number): Promise<PendingMessage["failures"]> {
  return (
    await tx.all<FailureRow>(sql`SELECT * FROM failures WHERE message = ${message} ORDER BY retried`)
  ).map(toFailure);
}

/** What a message carries, wherever it is kept. */
export async function bodyOf(tx: Tx, row: MessageRow): Promise<Uint8Array | undefined> {
  return (await entryOf(tx, row)) ?? row.body ?? undefined;
}

async function entryOf(tx: Tx, { entry }: MessageRow): Promise<Uint8Array | undefined> {
  const row =
    entry === null
      ? undefined
      : await tx.one<{ body: string }>(sql`SELECT body FROM entries WHERE seq = ${entry}`);
  return row && fromBase64(row.body);
}
