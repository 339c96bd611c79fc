import type { CallType, HistoryEntry } from "@perdure/core/protocol";
import { toBase64 } from "../../rules/bytes.ts";
import { sql, type Tx } from "../tx.ts";

/** The key of a history's first entry, the run's payload. */
export const FIRST_RECORD = "init";

/** A run's history, from the entry at `first` up to and with the one at `last`. */
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
 * Bytes above which a claim leaves out the body of a call, or of the answer to one. An answer that the engine reads
 * without asking for room is smaller than this, also in base64.
 */
const LARGE = 128 * 1024;

/** Entries for a delivery, without the large bodies of calls and of their answers. */
export interface ClaimedEntries {
  readonly entries: HistoryEntry[];
  /** Bytes, in base64, of the bodies that were left out. */
  readonly omitted: number;
}

/** As {@link history}, for a delivery that reads large bodies when it has room for them. */
export async function claimedEntries(tx: Tx, run: number, last: number, first = 0): Promise<ClaimedEntries> {
  const rows = await tx.all<{ message: string; body: Uint8Array | null; size: number; call_type: CallType }>(
    sql`SELECT message, call_type, length(body) AS size,
        CASE WHEN call_type = 'step' OR length(body) <= ${LARGE} THEN body END AS body
      FROM entries WHERE run = ${run} AND seq BETWEEN ${first} AND ${last} ORDER BY position`,
  );
  const omitted = rows.reduce((sum, { body, size }) => sum + (body ? 0 : Math.ceil(size / 3) * 4), 0);
  return { entries: rows.map((row) => toEntry({ ...row, body: row.body ?? new Uint8Array() })), omitted };
}

/** As an entry travels: its body is in base64 there only. */
function toEntry(row: { message: string; body: Uint8Array; call_type: CallType }): HistoryEntry {
  return { messageId: row.message, body: toBase64(row.body), callType: row.call_type };
}
