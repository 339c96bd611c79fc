import { newMessageId } from "../../domain/ids.ts";
import type { Run } from "../../domain/run.ts";
import type { DeadLetterQuery } from "../lists.ts";
import type { RemovedDeadLetters } from "../store.ts";
import type { Database } from "./database.ts";
import { deadLetters } from "./listing.ts";
import { type Due, insertMessage, runOf } from "./messages.ts";
import { type MessageRow, toMessage } from "./rows.ts";

export function removeDeadLetters(db: Database, query: DeadLetterQuery): RemovedDeadLetters {
  const { items, next } = deadLetters(db, query);
  for (const { dlqId, run } of items) {
    // A run's log still tells how it ended.
    if (run) db.run("UPDATE dlq SET removed = 1 WHERE id = ?", dlqId);
    else discard(db, dlqId);
  }
  return { removed: items.length, next };
}

export function repeatReport(db: Database, dlqId: string, now: number, due: Due): Run | undefined {
  const row = db.get<MessageRow & { readonly dlq_run: number | null }>(
    `SELECT messages.*, dlq.run AS dlq_run FROM dlq JOIN messages ON messages.seq = dlq.callback
     WHERE dlq.id = ? AND dlq.removed = 0 AND messages.state = 'FAILED'`,
    dlqId,
  );
  const run = row && runOf(db, row.dlq_run);
  if (!run) return undefined;
  const failed = toMessage(row);
  const again = { ...failed, id: newMessageId(), notBefore: now, createdAt: now };
  const seq = insertMessage(db, again, due, { run: run.key });
  db.run("UPDATE dlq SET callback = ? WHERE id = ?", seq, dlqId);
  erase(db, failed.seq);
  return run;
}

function discard(db: Database, dlqId: string): void {
  const row = db.get<{ message: number; callback: number | null }>(
    "DELETE FROM dlq WHERE id = ? RETURNING message, callback",
    dlqId,
  );
  if (!row) return;
  erase(db, row.message);
  if (row.callback !== null) erase(db, row.callback);
}

/** Forgets a message that is at its end, unless another entry tells of it. */
function erase(db: Database, seq: number): void {
  const { changes } = db.run(
    `DELETE FROM messages WHERE seq = ?1 AND due_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM dlq WHERE message = ?1) AND NOT EXISTS (SELECT 1 FROM dlq WHERE callback = ?1)`,
    seq,
  );
  if (changes > 0) db.run("DELETE FROM failures WHERE message = ?", seq);
}
