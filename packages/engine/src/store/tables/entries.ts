import type { CallType, HistoryEntry } from "@perdure/core/protocol";
import { toBase64 } from "../../rules/bytes.ts";
import { type Sql, sql, type Tx } from "../tx.ts";

/** The key of a history's first entry, the run's payload. */
export const FIRST_RECORD = "init";

/** A run's history from the entry with the key `first` to the entry with the key `last`, both included. */
export async function history(
  tx: Tx,
  run: number,
  last: number = Number.MAX_SAFE_INTEGER,
  first = 0,
): Promise<HistoryEntry[]> {
  const rows = await tx.all<{ message: string; body: Uint8Array; call_type: CallType }>(
    sql`SELECT message, body, call_type FROM entries WHERE run = ${run} AND seq BETWEEN ${first} AND ${last} ORDER BY position`,
  );
  return rows.map(toEntry);
}

/**
 * Bytes above which a claim leaves out the body of a call or of its answer. An answer that the engine reads without
 * reserving memory is smaller than this, in base64 too.
 */
const LARGE = 128 * 1024;

/** The position of the next entry of a run's history, as a part of a statement. */
export function nextPosition(run: number): Sql {
  return sql`(SELECT coalesce(max(position), 0) + 1 FROM entries WHERE run = ${run})`;
}

const STEP: CallType = "step";

/** The entries of a delivery, without the large bodies of calls and of their answers. */
export interface ClaimedEntries {
  readonly entries: HistoryEntry[];
  /** Bytes, in base64, of the bodies that are left out. */
  readonly omitted: number;
}

/** As {@link history}, for a delivery that reads large bodies once it has reserved memory for them. */
export async function claimedEntries(tx: Tx, run: number, last: number, first = 0): Promise<ClaimedEntries> {
  const rows = await tx.all<{ message: string; body: Uint8Array | null; size: number; call_type: CallType }>(
    sql`SELECT message, call_type, length(body) AS size,
        CASE WHEN call_type = ${STEP} OR length(body) <= ${LARGE} THEN body END AS body
      FROM entries WHERE run = ${run} AND seq BETWEEN ${first} AND ${last} ORDER BY position`,
  );
  const omitted = rows.reduce((sum, { body, size }) => sum + (body ? 0 : Math.ceil(size / 3) * 4), 0);
  return { entries: rows.map((row) => toEntry({ ...row, body: row.body ?? new Uint8Array() })), omitted };
}

/** An entry as deliveries carry it, with its body in base64. */
function toEntry(row: { message: string; body: Uint8Array; call_type: CallType }): HistoryEntry {
  return { messageId: row.message, body: toBase64(row.body), callType: row.call_type };
}

/** The id of the message of an entry that a run has already. */
export async function entryMessage(tx: Tx, run: number, key: string): Promise<string | undefined> {
  const row = await tx.one<{ message: string }>(
    sql`SELECT message FROM entries WHERE run = ${run} AND record = ${key}`,
  );
  return row?.message;
}
