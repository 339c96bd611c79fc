import type { Expiry } from "../../domain/retention.ts";
import type { Database } from "./database.ts";
import { remove } from "./dead.ts";
import { sweepDeduplications } from "./deduplications.ts";
import { erase, forgetUntold } from "./erase.ts";

/** Deletes what is past its time, up to `limit` of each kind. @returns whether there may be more */
export function sweep(db: Database, expiry: Expiry, limit: number): boolean {
  const swept = [
    sweepMessages(db, expiry.messages, limit),
    sweepLogs(db, expiry.logs, limit),
    sweepDeadLetters(db, expiry.dlq, limit),
    sweepDeduplications(db, expiry.deduplication, limit),
    sweepRuns(db, expiry.runs, limit),
  ];
  return swept.some((count) => count >= limit);
}

function sweepMessages(db: Database, until: number, limit: number): number {
  const rows = db.all<{ seq: number }>(
    "SELECT seq FROM messages WHERE forget_at <= ? ORDER BY forget_at LIMIT ?",
    until,
    limit,
  );
  for (const { seq } of rows) {
    // What the log still tells of goes with that.
    if (!erase(db, seq)) db.run("UPDATE messages SET forget_at = NULL WHERE seq = ?", seq);
  }
  return rows.length;
}

function sweepLogs(db: Database, until: number, limit: number): number {
  const rows = db.all<{ seq: number; message: number }>(
    "SELECT seq, message FROM logs WHERE at <= ? ORDER BY at LIMIT ?",
    until,
    limit,
  );
  for (const { seq } of rows) db.run("DELETE FROM logs WHERE seq = ?", seq);
  for (const message of new Set(rows.map((row) => row.message))) forgetUntold(db, message);
  return rows.length;
}

function sweepDeadLetters(db: Database, until: number, limit: number): number {
  const rows = db.all<{ id: string; run: number | null }>(
    "SELECT id, run FROM dlq WHERE removed = 0 AND created_at <= ? ORDER BY created_at LIMIT ?",
    until,
    limit,
  );
  for (const row of rows) remove(db, row);
  return rows.length;
}

/** A run that has failed stays with its dead letter, and one that another one goes on from stays with that. */
function sweepRuns(db: Database, until: number, limit: number): number {
  const runs = db.all<{ key: number }>(
    `SELECT key FROM runs WHERE completed_at <= ? AND dlq_id IS NULL AND successor IS NULL
       AND NOT EXISTS (SELECT 1 FROM messages
         WHERE run = runs.key AND state <> 'DELIVERED' AND due_at IS NOT NULL)
     ORDER BY completed_at LIMIT ?`,
    until,
    limit,
  );
  let count = 0;
  for (const { key } of runs) {
    if (count >= limit) break;
    count += 1 + sweepRun(db, key, limit - count);
  }
  return count;
}

/** @returns how many of its entries went: all of them, or `limit`. The run itself goes after its last one. */
function sweepRun(db: Database, run: number, limit: number): number {
  const entries = db.all<{ seq: number; message: string }>(
    "SELECT seq, message FROM entries WHERE run = ? ORDER BY seq DESC LIMIT ?",
    run,
    limit,
  );
  for (const { seq, message } of entries) {
    eraseAll(db, "SELECT seq FROM messages WHERE id = ? AND due_at IS NULL", message);
    db.run("DELETE FROM entries WHERE seq = ?", seq);
  }
  if (entries.length < limit) {
    eraseAll(db, "SELECT seq FROM messages WHERE run = ? AND state <> 'DELIVERED'", run);
    eraseAll(db, "SELECT callback AS seq FROM dlq WHERE run = ? AND callback IS NOT NULL", run);
    for (const table of ["dlq", "waiters", "events", "webhooks"]) {
      db.run(`DELETE FROM ${table} WHERE run = ?`, run);
    }
    // A place may be given to another run.
    db.run("UPDATE runs SET successor = NULL WHERE successor = ?", run);
    db.run("UPDATE runs SET parent = NULL WHERE parent = ?", run);
    db.run("DELETE FROM runs WHERE key = ?", run);
  }
  return entries.length;
}

function eraseAll(db: Database, query: string, value: string | number): void {
  for (const { seq } of db.all<{ seq: number }>(query, value)) {
    db.run("DELETE FROM logs WHERE message = ?", seq);
    erase(db, seq);
  }
}
