import { type CallType, type HistoryEntry, keyOf, type RecordKind } from "@perdure/core/protocol";
import { toBase64 } from "../../rules/bytes.ts";
import { constants, type Sql, sql, type Tx } from "../tx.ts";

/** The key of a history's first entry, the run's payload. */
export const FIRST_RECORD = "init";

/** The condition on `entries` that an entry has a key of this kind, by a range of the index of the keys. */
export function recordsOf(kind: RecordKind): Sql {
  return sql`record >= ${keyOf(kind, "")} AND record < ${keyOf(kind, "\u{10ffff}")}`;
}

/** The position of the next entry of a run's history, as a part of a statement. */
export function nextPosition(run: number): Sql {
  return sql`(SELECT coalesce(max(position), 0) + 1 FROM entries WHERE run = ${run})`;
}

/** An entry of a history without a delivery. */
export interface BareEntry {
  /** The entry's key, unique within its run. */
  readonly key: string;
  readonly callType: CallType;
  readonly body: Uint8Array;
  /** The id that the entry has on the wire. */
  readonly message: string;
}

/**
 * Adds an entry to the end of a run's history. The caller has the run's lock.
 *
 * @returns whether it is new: a run has one entry of a key
 */
export async function insertBareEntry(
  tx: Tx,
  run: number,
  { key, callType, body, message }: BareEntry,
): Promise<boolean> {
  const changes = await tx.run(
    sql`INSERT INTO entries (run, position, record, message, call_type, body, created_at)
      VALUES (${run}, ${nextPosition(run)}, ${key}, ${message}, ${callType}, ${body}, ${tx.now})
      ON CONFLICT (run, record) DO NOTHING`,
  );
  return changes > 0;
}

/** An entry with its place in its history. */
export interface PlacedEntry extends Omit<BareEntry, "key"> {
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

/** The last entry of a run's history. */
export async function lastEntry(
  tx: Tx,
  run: number,
): Promise<Pick<PlacedEntry, "seq" | "record" | "position"> | undefined> {
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
    sql`SELECT message, body, call_type FROM entries WHERE run = ${run} AND seq BETWEEN ${first} AND ${last} ORDER BY position`,
  );
  return rows.map(toEntry);
}

/** Bytes of bodies that one slice reads: a few milliseconds' work. */
const SLICE = 1024 * 1024;

/** Reads a whole {@link history} in slices: other requests have their turns between them. */
export async function historyInSlices(tx: Tx, run: number): Promise<HistoryEntry[]> {
  const sizes = await tx.all<{ position: number; size: number }>(
    sql`SELECT position, length(body) AS size FROM entries WHERE run = ${run} ORDER BY position`,
  );
  const entries: HistoryEntry[] = [];
  const last = sizes.length - 1;
  let [first, bytes] = [0, 0];
  for (const [at, { position, size }] of sizes.entries()) {
    bytes += size;
    if (bytes < SLICE && at < last) continue;
    const rows = await tx.all<EntryRow>(
      sql`SELECT message, body, call_type FROM entries
        WHERE run = ${run} AND position BETWEEN ${first} AND ${position} ORDER BY position`,
    );
    entries.push(...rows.map(toEntry));
    [first, bytes] = [position + 1, 0];
    if (at < last) await new Promise((resolve) => setImmediate(resolve));
  }
  return entries;
}

/**
 * Bytes above which a claim leaves out the body of a call, or of the answer to one. An answer that the engine reads
 * without asking for room is smaller than this, also in base64.
 */
const LARGE = 128 * 1024;

/** The entries whose bodies a claim always has. */
const SMALL = constants<CallType>("step", "attempt");

/** Entries for a delivery, without the large bodies of calls and of their answers. */
export interface ClaimedEntries {
  readonly entries: HistoryEntry[];
  /** Bytes, in base64, of the bodies that were left out. */
  readonly omitted: number;
}

/** Reads a {@link history} for a delivery. It may leave out large bodies, which the dispatcher reads when it has room for them. */
export async function claimedEntries(tx: Tx, run: number, last: number, first = 0): Promise<ClaimedEntries> {
  const rows = await tx.all<{ message: string; body: Uint8Array | null; size: number; call_type: CallType }>(
    sql`SELECT message, call_type, length(body) AS size,
        CASE WHEN call_type IN (${SMALL}) OR length(body) <= ${LARGE} THEN body END AS body
      FROM entries WHERE run = ${run} AND seq BETWEEN ${first} AND ${last} ORDER BY position`,
  );
  const omitted = rows.reduce((sum, { body, size }) => sum + (body ? 0 : Math.ceil(size / 3) * 4), 0);
  return { entries: rows.map((row) => toEntry({ ...row, body: row.body ?? new Uint8Array() })), omitted };
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
