import type { CallType, RollbackRecord } from "@perdure/core/protocol";
import { isUnhandled } from "../rules/answer.ts";
import { fromBase64, toBase64 } from "../rules/bytes.ts";
import { type Failure, type Message, type MessageKind, POST_RUN_KINDS } from "../rules/message.ts";
import type { Outcome } from "../rules/message-status.ts";
import type { Run } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import {
  type CallbackReport,
  type Child,
  callbackState,
  type DeadLetter,
  type LoggedRollback,
  type LoggedSleep,
  type LoggedWait,
  type PendingMessage,
  type RecordedEntry,
  type RunLog,
  type StoredMessage,
} from "../store/lists.ts";
import { FIRST_RECORD, mayNameCall } from "../store/tables/entries.ts";
import {
  type FailureRow,
  MESSAGES,
  type MessageRow,
  RUNS,
  type RunRow,
  toFailure,
  toMessage,
  toReply,
  toRun,
} from "../store/tables/rows.ts";
import { toSleep, toWait } from "../store/tables/waiters.ts";
import { createTimeSlices, groupInSlices, mapInSlices, type YieldPoint } from "../store/time-slices.ts";
import { constants, numbers, type Sql, sql, strings, type Tx } from "../store/tx.ts";

export interface DeadLetterRow extends FailureRow {
  readonly seq: number;
  readonly id: string;
  readonly message: number;
  readonly run: number | null;
  readonly callback: number | null;
  readonly removed: number;
  readonly fingerprint: string | null;
}

/** The columns of a {@link DeadLetterRow}; the table is named `dlq`. */
export const DEAD_LETTER: Sql = sql`dlq.seq, dlq.id, dlq.message, dlq.run, dlq.callback, dlq.removed,
  dlq.fingerprint, dlq.created_at AS at, dlq.error, dlq.by_engine, dlq.status, dlq.headers, dlq.body`;

const ALL = sql`1 = 1`;
const DELIVERED = constants<Outcome>("DELIVERED");
const FAILED = constants<Outcome>("FAILED");

export async function message(tx: Tx, id: string, since: number): Promise<StoredMessage | undefined> {
  const row = await tx.one<MessageRow>(
    sql`${MESSAGES} WHERE messages.id = ${id} AND (messages.outcome IS NULL
      OR (messages.outcome = ${DELIVERED} AND coalesce(messages.delete_after, 0) > ${since})
      OR (messages.outcome = ${FAILED} AND EXISTS (SELECT 1 FROM dlq
        WHERE message = messages.seq AND removed = 0 AND created_at > ${since})))`,
  );
  if (!row) return undefined;
  const runs = await runsByKey(tx, [row]);
  const entries = await entryBodies(tx, [row]);
  return {
    message: toMessage(row),
    run: runs.get(row.run ?? 0),
    entry: row.entry === null ? undefined : entries.get(row.entry),
  };
}

/** Reads runs with their steps, in a fixed number of statements. */
export async function runLogs(tx: Tx, rows: readonly RunRow[]): Promise<RunLog[]> {
  const keys = rows.map(({ key }) => key);
  const entries = await entriesOf(tx, keys);
  const messages = await shownMessages(tx, keys);
  const dead = await tx.all<DeadLetterRow>(
    sql`SELECT ${DEAD_LETTER} FROM dlq WHERE run IN (${numbers(keys)})`,
  );
  const letters = await messagesOf(tx, {
    seqs: dead.flatMap(({ message, callback }) => (callback === null ? [message] : [message, callback])),
    ids: await callIdsOf(entries),
  });
  const failures = await failuresOf(tx, [...messages, ...letters.values()]);
  const rollbacks = await rollbacksOfRuns(tx, keys);
  const { waits, sleeps } = await waitsOf(tx, keys);
  const children = await childrenOf(tx, keys);
  const calls = new Map([...letters.values()].map((row) => [row.id, row]));
  const ofRuns = await groupInSlices(messages, (row) => [row.run ?? 0, row]);
  const letterOf = new Map(dead.map((row) => [row.run, row]));
  const pause = createTimeSlices();
  return inOrder.map(rows, async (row): Promise<RunLog> => {
    const { key } = row;
    const run = toRun(row);
    const own = ofRuns.get(key) ?? [];
    const cancel = own.find(({ kind }) => kind === "cancel");
    const letter = letterOf.get(key);
    const history = entries.get(key) ?? [];
    const facts: Facts = {
      messages: letters,
      failures,
      rollbacks,
      runs: new Map([[key, run]]),
      bodies: deliveredIn(history, letter && letters.get(letter.message)),
    };
    return {
      run,
      entries: new Map(await mapInSlices(history, (entry) => [entry.key, entry], pause)),
      messages: await mapInSlices(
        own.filter(({ kind }) => kind !== "cancel"),
        (one): PendingMessage => ({ message: toMessage(one), failures: failures.get(one.seq) ?? [] }),
        pause,
      ),
      failure: letter && toDeadLetter(letter, facts),
      cancel: cancel && toCallbackReport(cancel, failures),
      rollbacks: rollbacks.get(key) ?? [],
      calls: await callsOf(history, calls, pause),
      waits: waits.get(key) ?? new Map(),
      sleeps: sleeps.get(key) ?? new Map(),
      children: children.get(key) ?? new Map(),
    };
  });
}

/** The ids of the messages that the entries of runs may name as calls. */
async function callIdsOf(entries: ReadonlyMap<number, readonly PlacedEntry[]>): Promise<string[]> {
  const ids: string[] = [];
  const pause = createTimeSlices();
  for (const history of entries.values()) {
    for (const { callType, key, messageId } of history) {
      await pause();
      if (mayNameCall(callType, key)) ids.push(messageId);
    }
  }
  return ids;
}

/** The calls of a history, by the ids of their messages. @param rows messages by their ids */
async function callsOf(
  history: readonly PlacedEntry[],
  rows: ReadonlyMap<string, MessageRow>,
  pause: YieldPoint,
): Promise<Map<string, Message>> {
  const calls = new Map<string, Message>();
  for (const { callType, messageId } of history) {
    await pause();
    const call = callType === "attempt" ? undefined : rows.get(messageId);
    if (call?.kind === "call") calls.set(messageId, toMessage(call));
  }
  return calls;
}

/** The body of the entry that a message delivers, by the entry's key. */
function deliveredIn(
  history: readonly PlacedEntry[],
  message: MessageRow | undefined,
): ReadonlyMap<number, Uint8Array> {
  const entry = message && history.findLast(({ seq }) => seq === message.entry);
  return new Map(entry ? [[entry.seq, fromBase64(entry.body)]] : []);
}

/** The messages of runs that are pending, have failed or were cancelled, and the reports of cancellations. */
export function shownMessages(tx: Tx, runs: readonly number[]): Promise<MessageRow[]> {
  // The query omits delivered messages: a long run has many.
  return tx.many<MessageRow>(
    sql`${MESSAGES} WHERE messages.run IN (${numbers(runs)})
      AND (messages.kind = ${constants<MessageKind>("cancel")}
        OR (messages.kind NOT IN (${constants<MessageKind>(...POST_RUN_KINDS)})
          AND (messages.outcome IS NULL OR messages.outcome <> ${DELIVERED})))
      ORDER BY messages.seq`,
  );
}

/** Reads dead letters with the messages, runs and reports to which they refer. */
export async function toDeadLetters(tx: Tx, rows: readonly DeadLetterRow[]): Promise<DeadLetter[]> {
  const messages = await messagesOf(tx, {
    seqs: rows.flatMap(({ message, callback }) => (callback === null ? [message] : [message, callback])),
  });
  const all = [...messages.values()];
  const facts: Facts = {
    messages,
    failures: await failuresOf(tx, all),
    rollbacks: await rollbacksOfRuns(
      tx,
      rows.flatMap(({ run }) => run ?? []),
    ),
    runs: await runsByKey(tx, rows),
    bodies: await entryBodies(tx, all),
  };
  return rows.map((row) => toDeadLetter(row, facts));
}

/** The rows that other rows refer to, by their keys. */
interface Facts {
  readonly messages: ReadonlyMap<number, MessageRow>;
  readonly failures: ReadonlyMap<number, readonly Failure[]>;
  readonly rollbacks: ReadonlyMap<number, readonly LoggedRollback[]>;
  readonly runs: ReadonlyMap<number, Run>;
  readonly bodies: ReadonlyMap<number, Uint8Array>;
}

function toDeadLetter(row: DeadLetterRow, facts: Facts): DeadLetter {
  const dead = known(facts.messages, row.message);
  const callback = row.callback === null ? undefined : known(facts.messages, row.callback);
  return {
    dlqId: row.id,
    fingerprint: row.fingerprint ?? undefined,
    createdAt: row.at,
    message: toMessage(dead),
    run: row.run === null ? undefined : facts.runs.get(row.run),
    body: bodyOf(dead, facts.bodies),
    failure: toFailure(row),
    callback: callback && toCallbackReport(callback, facts.failures),
    rollbacks: row.run === null ? [] : (facts.rollbacks.get(row.run) ?? []),
    removed: row.removed === 1,
  };
}

function known(messages: ReadonlyMap<number, MessageRow>, seq: number): MessageRow {
  const row = messages.get(seq);
  // The store keeps a message as long as a dead letter refers to it.
  if (!row) throw new Error(`The message with the key ${seq} is missing, though a dead letter refers to it.`);
  return row;
}

export function toCallbackReport(
  row: MessageRow,
  failures: ReadonlyMap<number, readonly Failure[]>,
): CallbackReport {
  const reply = toReply(row.reply_status, row.reply_headers, row.reply_body);
  const message = toMessage(row);
  return {
    message,
    state: callbackState(message.state, reply !== undefined && isUnhandled(reply)),
    reply,
    failures: failures.get(row.seq) ?? [],
  };
}

/** Returns a message's body, which may be stored with an entry. */
export function bodyOf(row: MessageRow, entries: ReadonlyMap<number, Uint8Array>): Uint8Array | undefined {
  return (row.entry === null ? undefined : entries.get(row.entry)) ?? row.body ?? undefined;
}

/** Messages by their keys: those with one of these keys, or one of these ids. */
export async function messagesOf(
  tx: Tx,
  { seqs, ids = [] }: { readonly seqs: readonly number[]; readonly ids?: readonly string[] },
): Promise<Map<number, MessageRow>> {
  if (seqs.length === 0 && ids.length === 0) return new Map();
  const rows = await tx.many<MessageRow>(
    sql`${MESSAGES} WHERE messages.seq IN (${numbers(seqs)}) OR messages.id IN (${strings(ids)})`,
  );
  return new Map(rows.map((row) => [row.seq, row]));
}

/** The bodies of the entries that messages deliver, by the entries' keys. */
export async function entryBodies(tx: Tx, rows: readonly MessageRow[]): Promise<Map<number, Uint8Array>> {
  const keys = rows.flatMap(({ entry }) => entry ?? []);
  if (keys.length === 0) return new Map();
  const entries = await tx.all<{ seq: number; body: Uint8Array }>(
    sql`SELECT seq, body FROM entries WHERE seq IN (${numbers(keys)})`,
  );
  return new Map(entries.map(({ seq, body }) => [seq, body]));
}

/** The runs that rows belong to, by their keys. */
export async function runsByKey(
  tx: Tx,
  rows: readonly { readonly run: number | null }[],
): Promise<Map<number, Run>> {
  const keys = rows.flatMap(({ run }) => run ?? []);
  if (keys.length === 0) return new Map();
  const runs = await tx.all<RunRow>(sql`${RUNS} WHERE key IN (${numbers(keys)})`);
  return new Map(runs.map((row) => [row.key, toRun(row)]));
}

/** The attempts at messages that failed, by the messages' keys, in their order. */
export async function failuresOf(tx: Tx, messages: readonly MessageRow[]): Promise<Map<number, Failure[]>> {
  if (messages.length === 0) return new Map();
  const rows = await tx.many<FailureRow & { readonly message: number }>(
    sql`SELECT * FROM failures WHERE message IN (${numbers(messages.map(({ seq }) => seq))})
      ORDER BY message, retried`,
  );
  return await groupInSlices(rows, (row) => [row.message, toFailure(row)]);
}

export async function rollbacksOfRuns(
  tx: Tx,
  runs: readonly number[],
): Promise<Map<number, LoggedRollback[]>> {
  if (runs.length === 0) return new Map();
  const rows = await tx.many<{ run: number; record: string; at: number | null }>(
    sql`SELECT run, record, at FROM rollbacks WHERE run IN (${numbers(runs)}) ORDER BY seq`,
  );
  return await groupInSlices(rows, ({ run, record, at }) => [
    run,
    { ...(JSON.parse(record) as RollbackRecord), ...(at === null ? {} : { time: at }) },
  ]);
}

/** Entries in their order, by their keys. */
export function byKey(entries: readonly RecordedEntry[]): Map<string, RecordedEntry> {
  return new Map(entries.map((entry) => [entry.key, entry]));
}

export interface PlacedEntry extends RecordedEntry {
  readonly seq: number;
}

/** A row of the columns {@link ENTRY}. */
export interface EntryRow {
  readonly seq: number;
  readonly run: number;
  readonly position: number;
  readonly record: string;
  readonly message: string;
  readonly body: Uint8Array;
  readonly call_type: CallType;
  readonly created_at: number;
  readonly lease: number | null;
}

/** The columns of an {@link EntryRow}. */
export const ENTRY: Sql = sql`seq, run, position, record, message, body, call_type, created_at, lease`;

export function toRecordedEntry(row: EntryRow): PlacedEntry {
  return {
    seq: row.seq,
    position: row.position,
    key: row.record,
    messageId: row.message,
    body: toBase64(row.body),
    callType: row.call_type,
    createdAt: row.created_at,
    lease: row.lease ?? undefined,
  };
}

async function entriesOf(tx: Tx, runs: readonly number[]): Promise<Map<number, PlacedEntry[]>> {
  const rows = await tx.many<EntryRow>(
    sql`SELECT ${ENTRY} FROM entries WHERE run IN (${numbers(runs)}) ORDER BY run, position`,
  );
  return await groupInSlices(rows, (row) => [row.run, toRecordedEntry(row)]);
}

interface Waits {
  readonly waits: ReadonlyMap<number, ReadonlyMap<string, LoggedWait>>;
  readonly sleeps: ReadonlyMap<number, ReadonlyMap<string, LoggedSleep>>;
}

interface LoggedWaitRow {
  readonly run: number;
  readonly event: string | null;
  readonly record: string;
  readonly open: number;
  readonly wait: string;
  readonly created_at: number;
}

/** The waits and sleeps of runs. @param which a condition on `waiters` */
export async function waitsOf(tx: Tx, runs: readonly number[], which: Sql = ALL): Promise<Waits> {
  const rows = await tx.many<LoggedWaitRow>(
    sql`SELECT run, event, record, open, wait, created_at FROM waiters WHERE run IN (${numbers(runs)}) AND (${which})
      ORDER BY seq`,
  );
  const waits = await groupInSlices(
    rows.filter(({ event }) => event !== null),
    (row): [number, [string, LoggedWait]] => [
      row.run,
      [row.record, { wait: toWait(row), open: row.open === 1, createdAt: row.created_at }],
    ],
  );
  const sleeps = await groupInSlices(
    rows.filter(({ event }) => event === null),
    (row): [number, [string, LoggedSleep]] => [
      row.run,
      [row.record, { sleep: toSleep(row), open: row.open === 1, createdAt: row.created_at }],
    ],
  );
  return {
    waits: new Map([...waits].map(([run, of]) => [run, new Map(of)])),
    sleeps: new Map([...sleeps].map(([run, of]) => [run, new Map(of)])),
  };
}

/** The runs that runs have invoked, by their records. @param which a condition on the columns of `runs` */
export async function childrenOf(
  tx: Tx,
  parents: readonly number[],
  which: Sql = ALL,
): Promise<Map<number, Map<string, Child>>> {
  const rows = await tx.many<RunRow & { readonly payload: Uint8Array | null }>(
    sql`SELECT one.*, first.body AS payload FROM (${RUNS}) AS one
      LEFT JOIN entries AS first ON first.run = one.key AND first.record = ${FIRST_RECORD}
      WHERE one.parent IN (${numbers(parents)}) AND (${which}) ORDER BY one.key`,
  );
  const children = await groupInSlices(rows, (row): [number, [string, Child]] => [
    row.parent ?? 0,
    [row.parent_record ?? "", { run: toRun(row), payload: row.payload ?? new Uint8Array() }],
  ]);
  return new Map([...children].map(([parent, of]) => [parent, new Map(of)]));
}
