import type { Database } from "./database.ts";
import { isInLog } from "./log.ts";

/** Forgets a message that is at its end, with its failures. @returns false when the log still tells of it */
export function erase(db: Database, seq: number): boolean {
  if (isInLog(db, seq)) return false;
  const { changes } = db.run("DELETE FROM messages WHERE seq = ? AND due_at IS NULL", seq);
  if (changes > 0) db.run("DELETE FROM failures WHERE message = ?", seq);
  return true;
}

/** Forgets a message of which nothing tells any more: neither the log, nor a dead letter, its own or that of another. */
export function forgetUntold(db: Database, seq: number): void {
  const kept = db.get(
    `SELECT 1 FROM messages WHERE seq = ? AND (run IS NOT NULL OR forget_at IS NOT NULL)
     UNION ALL SELECT 1 FROM dlq WHERE message = ? UNION ALL SELECT 1 FROM dlq WHERE callback = ? LIMIT 1`,
    seq,
    seq,
    seq,
  );
  if (!kept) erase(db, seq);
}
