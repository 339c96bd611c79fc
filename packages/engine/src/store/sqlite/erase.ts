import type { Database } from "./database.ts";

/** Forgets messages that are at their end, as far as neither the log nor a dead letter still tells of them. */
export function release(db: Database, messages: readonly number[]): void {
  const rows = db.all<{ seq: number }>(
    `SELECT seq FROM messages WHERE seq IN (SELECT value FROM json_each(?)) AND due_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM logs WHERE message = messages.seq)
       AND NOT EXISTS (SELECT 1 FROM dlq WHERE message = messages.seq)
       AND NOT EXISTS (SELECT 1 FROM dlq WHERE callback = messages.seq)`,
    JSON.stringify(messages),
  );
  if (rows.length > 0) erase(db, rows);
}

/** Forgets messages that are at their end, with all that is known of them. */
export function erase(db: Database, messages: readonly { readonly seq: number }[]): void {
  const list = JSON.stringify(messages.map(({ seq }) => seq));
  db.run("DELETE FROM logs WHERE message IN (SELECT value FROM json_each(?))", list);
  db.run("DELETE FROM failures WHERE message IN (SELECT value FROM json_each(?))", list);
  db.run("DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?))", list);
}
