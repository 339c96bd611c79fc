import type { Expiry } from "../../domain/retention.ts";
import type { Database } from "./database.ts";
import { remove } from "./dead.ts";
import { sweepDeduplications } from "./deduplications.ts";
import { erase, release } from "./erase.ts";
import { sweepFlows } from "./flow.ts";

/** Deletes what is past its time, up to `limit` of each kind. @returns whether there may be more */
export function sweep(db: Database, expiry: Expiry, limit: number): boolean {
  const swept = [
    sweepMessages(db, expiry.messages, limit),
    sweepLogs(db, expiry.logs, limit),
    sweepDeadLetters(db, expiry.dlq, limit),
    sweepDeduplications(db, expiry.now, limit),
    sweepRuns(db, expiry.runs, limit),
    // As long as the log may tell of a key, it is there.
    sweepFlows(db, expiry.logs, expiry.now, limit),
  ];
  return swept.some((count) => count >= limit);
}

function sweepMessages(db: Database, until: number, limit: number): number {
  const rows = db.all<{ seq: number }>(
    `UPDATE messages SET forget_at = NULL WHERE seq IN
       (SELECT seq FROM messages WHERE forget_at <= ? ORDER BY forget_at LIMIT ?) RETURNING seq`,
    until,
    limit,
  );
  // What the log still tells of goes with that.
  if (rows.length > 0)
    release(
      db,
      rows.map(({ seq }) => seq),
    );
  return rows.length;
}

function sweepLogs(db: Database, until: number, limit: number): number {
  const rows = db.all<{ message: number }>(
    `DELETE FROM logs WHERE seq IN (SELECT seq FROM logs WHERE at <= ? ORDER BY at LIMIT ?)
     RETURNING message`,
    until,
    limit,
  );
  if (rows.length === 0) return 0;
  // A run keeps its own, and what can still be looked at isn't over.
  const loose = db.all<{ seq: number }>(
    `SELECT seq FROM messages WHERE seq IN (SELECT value FROM json_each(?))
       AND run IS NULL AND forget_at IS NULL`,
    JSON.stringify(rows.map(({ message }) => message)),
  );
  release(
    db,
    loose.map(({ seq }) => seq),
  );
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
  if (runs.length === 0) return 0;
  const list = JSON.stringify(runs.map(({ key }) => key));
  const entries = db.all<{ message: string }>(
    `DELETE FROM entries WHERE seq IN
       (SELECT seq FROM entries WHERE run IN (SELECT value FROM json_each(?)) LIMIT ?) RETURNING message`,
    list,
    limit,
  );
  const ids = JSON.stringify(entries.map(({ message }) => message));
  eraseAll(
    db,
    "SELECT seq FROM messages WHERE id IN (SELECT value FROM json_each(?)) AND due_at IS NULL",
    ids,
  );
  // The runs themselves go after the last of their entries.
  if (entries.length < limit) eraseRuns(db, list);
  return Math.max(entries.length, runs.length);
}

const THEIRS = "run IN (SELECT value FROM json_each(?))";

function eraseRuns(db: Database, runs: string): void {
  eraseAll(db, `SELECT seq FROM messages WHERE ${THEIRS} AND state <> 'DELIVERED'`, runs);
  eraseAll(db, `SELECT seq FROM messages WHERE ${THEIRS} AND purpose = 'cancel'`, runs);
  eraseAll(db, `SELECT callback AS seq FROM dlq WHERE ${THEIRS} AND callback IS NOT NULL`, runs);
  for (const table of ["dlq", "waiters", "events", "webhooks", "rollbacks"])
    db.run(`DELETE FROM ${table} WHERE ${THEIRS}`, runs);
  // Their places may be given to other runs.
  for (const column of ["successor", "parent"]) {
    db.run(`UPDATE runs SET ${column} = NULL WHERE ${column} IN (SELECT value FROM json_each(?))`, runs);
  }
  db.run("DELETE FROM runs WHERE key IN (SELECT value FROM json_each(?))", runs);
}

function eraseAll(db: Database, query: string, list: string): void {
  const rows = db.all<{ seq: number }>(query, list);
  if (rows.length > 0) erase(db, rows);
}
