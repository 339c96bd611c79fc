import type { CallType, HistoryEntry } from "@perdure/core/protocol";
import type { Database } from "./database.ts";

/** A run's history, from the entry at `first` up to and with the one at `last`. */
export function history(
  db: Database,
  run: number,
  last: number = Number.MAX_SAFE_INTEGER,
  first = 0,
): HistoryEntry[] {
  const rows = db.all<{ message: string; body: string; call_type: CallType }>(
    "SELECT message, body, call_type FROM entries WHERE run = ? AND seq BETWEEN ? AND ? ORDER BY seq",
    run,
    first,
    last,
  );
  return rows.map(({ message, body, call_type }) => ({ messageId: message, body, callType: call_type }));
}
