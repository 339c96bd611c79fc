import {
  type CallType,
  type HistoryEntry,
  isKeyOf,
  keyOf,
  type RecordKind,
  type StepRecord,
} from "@perdure/core/protocol";
import { toBase64, toText } from "../../rules/bytes.ts";
import type { DeliveredStep } from "../claims.ts";
import { forEach, type Part, type Sql, sql, strings, type Tx, ValueList } from "../tx.ts";

/** The key of a history's first entry, the run's payload. */
export const FIRST_RECORD = "init";

/**
 * The key of an entry, for a condition on the entries of one run. As a column it would be an index of PostgreSQL's choice: the
 * range of a history's keys holds the entries of all runs of that time.
 */
const SEQ = sql`(seq + 0)`;

/** The condition on `entries` that an entry has a key of this kind, by a range of the index of the keys. */
export function recordsOf(kind: RecordKind): Sql {
  return sql`record >= ${keyOf(kind, "")} AND record < ${keyOf(kind, "\u{10ffff}")}`;
}

/** Whether an entry may name a call's message: it is the call, or the plan of a step, which an inline call uses. */
export function mayNameCall(callType: CallType, key: string): boolean {
  return callType === "toCallback" || isKeyOf("plan", key);
}

/** The position of the last entry of a run's history, as a part of a statement. */
export function lastPosition(run: Part): Sql {
  return sql`(SELECT max(position) FROM entries WHERE run = ${run})`;
}

/** The position of the next entry of a run's history, as a part of a statement. */
export function nextPosition(run: number): Sql {
  return sql`(SELECT coalesce(max(position), 0) + 1 FROM entries WHERE run = ${run})`;
}

/**
 * A key that a run's history has up to a position, of several keys, as a part of a statement; null for none. It looks for each key
 * by itself: a database that chose to read the history instead would read all of it at each append.
 *
 * @param keys a list, or the query of one
 */
export function repeatedKey(run: Part, keys: Part, last: Part): Sql {
  const [one, ...more] = keys instanceof ValueList ? keys.values : [];
  if (one !== undefined && more.length === 0) return recordOf(run, one, last);
  return sql`(SELECT min(${recordOf(run, sql`keys.value`, last)}) FROM (${keys}) AS keys)`;
}

function recordOf(run: Part, key: Part, last: Part): Sql {
  return sql`(SELECT record FROM entries WHERE run = ${run} AND record = ${key} AND position <= ${last})`;
}

/** An entry of a history without a delivery. */
export interface BareEntry {
  /** The entry's key, unique within its run. */
  readonly key: string;
  readonly callType: CallType;
  /** The name of the step, for a record or an attempt of one. */
  readonly step: string | undefined;
  readonly body: Uint8Array;
  /** The id that the entry has on the wire. */
  readonly message: string;
  /** The number of the lease under which an invocation appends it. */
  readonly lease?: number | undefined;
}

/**
 * Adds an entry to the end of a run's history. The caller has the run's lock.
 *
 * @returns whether it is new: a run has one entry of a key
 */
export async function insertBareEntry(tx: Tx, run: number, entry: BareEntry): Promise<boolean> {
  const { key, callType, step, body, message, lease } = entry;
  const changes = await tx.run(
    sql`INSERT INTO entries (run, position, record, message, call_type, step, body, created_at, lease)
      VALUES (${run}, ${nextPosition(run)}, ${key}, ${message}, ${callType}, ${step ?? null}, ${body}, ${tx.now},
        ${lease ?? null})
      ON CONFLICT (run, record) DO NOTHING`,
  );
  return changes > 0;
}

/** An entry of a step that an invocation appends. */
export interface StepEntry extends BareEntry {
  readonly step: string;
  readonly lease: number;
}

/** An entry of a step, with its place in the history of a run. */
export interface NewEntry extends StepEntry {
  readonly run: number;
  readonly position: number;
}

/**
 * Adds entries to histories of runs that have none of their keys, without a wait for the database. The caller has the runs' locks,
 * and the entries of a run are in the order of their positions.
 */
export function sendEntries(tx: Tx, entries: readonly NewEntry[]): void {
  const columns = { run: "number", position: "number", ...STEP_ENTRY } as const;
  const rows = entries.map(({ run, position, ...entry }) => ({ run, position, ...toStepRow(entry) }));
  tx.sendForEach(
    forEach(columns, rows, (row, from) => {
      return sql`${insertStepEntry(row, tx.now)}${from}`;
    }),
  );
}

/** A row of {@link STEP_ENTRY}. */
export type StepRow = ReturnType<typeof toStepRow>;

export function toStepRow({ callType: type, ...entry }: StepEntry) {
  return { ...entry, type };
}

/** The insertion of an entry of a step. Its parts may be columns of the clauses that follow it. */
export function insertStepEntry(
  row: Readonly<Record<"run" | "position" | keyof typeof STEP_ENTRY, Part>>,
  createdAt: Part,
): Sql {
  return sql`INSERT INTO entries (run, position, record, message, call_type, step, body, created_at, lease)
    SELECT ${row.run}, ${row.position}, ${row.key}, ${row.message}, ${row.type}, ${row.step}, ${row.body}, ${createdAt},
      ${row.lease}`;
}

/** The columns of an entry of a step, without its place. */
export const STEP_ENTRY = {
  key: "string",
  message: "string",
  type: "string",
  step: "string",
  body: "bytes",
  lease: "number",
} as const;

/** The end of a history, as an invocation must know it to append. */
export interface HistoryEnd {
  /** The position of the last entry. */
  readonly last: number;
  /** The key of one of the new entries that the history has at a position that the invocation knows; null for none. */
  readonly repeated: string | null;
}

/** Reads the end of a run's history for entries with these keys. @param after the position up to which the invocation knows it */
export async function historyEnd(
  tx: Tx,
  run: number,
  { after, keys }: { readonly after: number; readonly keys: readonly string[] },
): Promise<HistoryEnd> {
  const end = await tx.one<HistoryEnd>(
    sql`SELECT coalesce(max(position), 0) AS last, ${repeatedKey(run, strings(keys), after)} AS repeated
      FROM entries WHERE run = ${run}`,
  );
  return end ?? { last: 0, repeated: null };
}

/** An entry with its place in its history. */
export interface PlacedEntry extends Omit<BareEntry, "key" | "step" | "lease"> {
  readonly seq: number;
  readonly record: string;
  readonly position: number;
}

interface PlacedRow extends Omit<PlacedEntry, "callType"> {
  readonly call_type: CallType;
}

/** The entries behind a position, in their order. */
export async function entriesAfter(tx: Tx, run: number, position: number): Promise<PlacedEntry[]> {
  const rows = await tx.all<PlacedRow>(
    sql`SELECT seq, position, record, message, call_type, body FROM entries
      WHERE run = ${run} AND position > ${position} ORDER BY position`,
  );
  return rows.map(({ call_type: callType, ...row }) => ({ ...row, callType }));
}

export type LastEntry = Pick<PlacedEntry, "seq" | "record" | "position">;

/** The last entry of a run's history. */
export async function lastEntry(tx: Tx, run: number): Promise<LastEntry | undefined> {
  return tx.one(
    sql`SELECT seq, record, position FROM entries WHERE run = ${run} ORDER BY position DESC LIMIT 1`,
  );
}

/** A run's history, from the entry at `first` up to and with the one at `last`. */
export async function history(
  tx: Tx,
  run: number,
  last: number = Number.MAX_SAFE_INTEGER,
  first = 0,
): Promise<HistoryEntry[]> {
  const rows = await tx.all<EntryRow>(
    sql`SELECT message, body, call_type FROM entries WHERE run = ${run} AND ${SEQ} BETWEEN ${first} AND ${last} ORDER BY position`,
  );
  return rows.map(toEntry);
}

/** Bytes of bodies that one slice reads: a few milliseconds' work. */
const SLICE = 1024 * 1024;

/** A place in a run's history. */
export interface HistoryPlace {
  readonly run: number;
  readonly position: number;
  /** The position of the last entry that is read. */
  readonly last: number;
}

/** Consecutive entries of a history. */
export interface HistorySlice {
  readonly entries: readonly HistoryEntry[];
  /** The entry that follows them, if its body is too large for a slice. */
  readonly large?: LargeEntry | undefined;
  /** The place behind all of these, unless they are the last ones. */
  readonly next: HistoryPlace | undefined;
}

/** An entry whose body {@link entryBody} reads. */
export interface LargeEntry extends Omit<HistoryEntry, "body"> {
  readonly seq: number;
  /** The length of its body, in bytes. */
  readonly size: number;
}

/** Entries that one slice looks at. */
const MAX_SLICE_ENTRIES = 500;

interface SizedRow {
  readonly seq: number;
  readonly position: number;
  readonly message: string;
  readonly call_type: CallType;
  readonly size: number;
}

/** Reads a history from a place on: a few milliseconds' work. */
export async function historySlice(tx: Tx, place: HistoryPlace): Promise<HistorySlice> {
  const { run, position: first, last } = place;
  const rows = await tx.all<SizedRow>(
    sql`SELECT seq, position, message, call_type, length(body) AS size FROM entries
      WHERE run = ${run} AND position BETWEEN ${first} AND ${last} ORDER BY position LIMIT ${MAX_SLICE_ENTRIES}`,
  );
  const small = firstWithin(SLICE, rows);
  const end = small.at(-1)?.position ?? first - 1;
  const entries = await tx.all<EntryRow>(
    sql`SELECT message, body, call_type FROM entries
      WHERE run = ${run} AND position BETWEEN ${first} AND ${end} ORDER BY position`,
  );
  const following = rows[small.length];
  const large = following && following.size > SLICE ? toLarge(following) : undefined;
  const next = end + (large ? 2 : 1);
  return {
    entries: entries.map(toEntry),
    large,
    next: next <= last ? { ...place, position: next } : undefined,
  };
}

/** The first rows whose bodies together have so many bytes at most. */
function firstWithin(bytes: number, rows: readonly SizedRow[]): readonly SizedRow[] {
  let left = bytes;
  const end = rows.findIndex(({ size }) => {
    left -= size;
    return left < 0;
  });
  return end < 0 ? rows : rows.slice(0, end);
}

function toLarge({ seq, message: messageId, call_type: callType, size }: SizedRow): LargeEntry {
  return { seq, messageId, callType, size };
}

/** The body of an entry, if the entry is still there. */
export async function entryBody(tx: Tx, { seq, messageId }: LargeEntry): Promise<Uint8Array | undefined> {
  const row = await tx.one<{ body: Uint8Array }>(
    sql`SELECT body FROM entries WHERE seq = ${seq} AND message = ${messageId}`,
  );
  return row?.body;
}

/** The first and the last entry of a part of a history, by their keys in the table. */
export interface HistoryPart {
  readonly first?: number;
  readonly last?: number;
}

/** Reads a {@link history} in slices, between which other requests have their turns. */
export async function historyInSlices(
  tx: Tx,
  run: number,
  { first = 0, last = Number.MAX_SAFE_INTEGER }: HistoryPart = {},
): Promise<HistoryEntry[]> {
  const sizes = await tx.all<{ position: number; size: number }>(
    sql`SELECT position, length(body) AS size FROM entries
      WHERE run = ${run} AND ${SEQ} BETWEEN ${first} AND ${last} ORDER BY position`,
  );
  const entries: HistoryEntry[] = [];
  const final = sizes.length - 1;
  let [from, bytes] = [sizes[0]?.position ?? 0, 0];
  for (const [at, { position, size }] of sizes.entries()) {
    bytes += size;
    if (bytes < SLICE && at < final) continue;
    const rows = await tx.all<EntryRow>(
      sql`SELECT message, body, call_type FROM entries
        WHERE run = ${run} AND position BETWEEN ${from} AND ${position} ORDER BY position`,
    );
    entries.push(...rows.map(toEntry));
    [from, bytes] = [position + 1, 0];
  }
  return entries;
}

/**
 * Bytes above which a claim leaves out the body of an entry. An answer that the engine reads without asking for room is
 * smaller than this, also in base64.
 */
const LARGE = 128 * 1024;

/** Entries for a delivery, without the large bodies. */
export interface ClaimedEntries {
  readonly entries: HistoryEntry[];
  /** Bytes, in base64, of the bodies that were left out. */
  readonly omitted: number;
  /** The last entry's step. */
  readonly step: DeliveredStep | undefined;
}

interface ClaimedRow extends Omit<EntryRow, "body"> {
  /** The place of its part. */
  readonly at: number;
  readonly position: number;
  readonly record: string;
  readonly step: string | null;
  readonly size: number;
  readonly body: Uint8Array | null;
}

/** A part of the history of a run, by the keys of its first and its last entry. */
export interface ClaimedPart {
  readonly run: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Reads parts of histories for deliveries. It leaves out large bodies, which the dispatcher reads when it has room for them.
 *
 * @returns the entries of each part, by its place
 */
export async function claimedEntries(tx: Tx, parts: readonly ClaimedPart[]): Promise<ClaimedEntries[]> {
  const columns = { at: "number", run: "number", first: "number", last: "number" } as const;
  const asked = parts.map((part, at) => ({ at, ...part }));
  const rows = await tx.allForEach<ClaimedRow>(
    forEach(columns, asked, (row, _from, join) => {
      return sql`SELECT ${row.at} AS at, message, call_type, record, step, position, length(body) AS size,
          CASE WHEN length(body) <= ${LARGE} THEN body END AS body
        FROM entries${join} WHERE entries.run = ${row.run} AND ${SEQ} BETWEEN ${row.first} AND ${row.last} ORDER BY position`;
    }),
  );
  const found: ClaimedRow[][] = parts.map(() => []);
  for (const row of rows) found[row.at]?.push(row);
  return found.map(toClaimed);
}

function toClaimed(rows: readonly ClaimedRow[]): ClaimedEntries {
  const omitted = rows.reduce((sum, { body, size }) => sum + (body ? 0 : Math.ceil(size / 3) * 4), 0);
  const entries = rows.map((row) => toEntry({ ...row, body: row.body ?? new Uint8Array() }));
  return { entries, omitted, step: stepIn(rows.at(-1)) };
}

function stepIn(row: ClaimedRow | undefined): DeliveredStep | undefined {
  if (!row || row.step === null) return undefined;
  const planned = isKeyOf("plan", row.record) && row.body !== null && isOfGroup(row.body);
  return { name: row.step, planned };
}

/** Whether a plan is that of a member of a group. */
function isOfGroup(plan: Uint8Array): boolean {
  return (JSON.parse(toText(plan)) as StepRecord).concurrent > 1;
}

interface EntryRow {
  readonly message: string;
  readonly body: Uint8Array;
  readonly call_type: CallType;
}

/** An entry in the form of the wire, with its body in base64. */
export function toEntry(row: EntryRow): HistoryEntry {
  return { messageId: row.message, body: toBase64(row.body), callType: row.call_type };
}

/** The id of the message of an entry, if the run has the entry. */
export async function entryMessage(tx: Tx, run: number, key: string): Promise<string | undefined> {
  const row = await tx.one<{ message: string }>(
    sql`SELECT message FROM entries WHERE run = ${run} AND record = ${key}`,
  );
  return row?.message;
}
