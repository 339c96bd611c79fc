import type { CallType, HistoryEntry } from "@perdure/core/protocol";
import { sql, type Tx } from "../tx.ts";

/** What the first entry of a history is recorded as: the run's payload. */
export const FIRST_RECORD = "init";

/** A run's history, from the entry at `first` up to and with the one at `last`. */
export async function history(
  tx: Tx,
  run: number,
  last: number = Number.MAX_SAFE_INTEGER,
  first = 0,
): Promise<HistoryEntry[]> {
  const rows = await tx.all<{ message: string; body: string; call_type: CallType }>(
    sql`SELECT message, body, call_type FROM entries WHERE run = ${run} AND seq BETWEEN ${first} AND ${last} ORDER BY seq`,
  );
  return rows.map(({ message, body, call_type }) => ({ messageId: message, body, callType: call_type }));
}
