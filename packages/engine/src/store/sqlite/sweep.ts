import type { Expiry } from "../../domain/retention.ts";
import { sql, type Tx } from "../tx.ts";
import { remove } from "./dead.ts";
import { sweepDeduplications } from "./deduplications.ts";
import { erase, release } from "./erase.ts";
import { sweepFlows } from "./flow.ts";

/** Deletes what is past its time, up to `limit` of each kind. @returns whether there may be more */
export async function sweep(tx: Tx, expiry: Expiry, limit: number): Promise<boolean> {
  const swept = [
    await sweepMessages(tx, expiry.messages, limit),
    await sweepLogs(tx, expiry.logs, limit),
    await sweepDeadLetters(tx, expiry.dlq, limit),
    await sweepDeduplications(tx, expiry.now, limit),
    await sweepRuns(tx, expiry.runs, limit),
    // As long as the log may tell of a key, it is there.
    await sweepFlows(tx, expiry.logs, expiry.now, limit),
  ];
  return swept.some((count) => count >= limit);
}

async function sweepMessages(tx: Tx, until: number, limit: number): Promise<number> {
  const rows = await tx.all<{ seq: number }>(sql`UPDATE messages SET forget_at = NULL WHERE seq IN
       (SELECT seq FROM messages WHERE forget_at <= ${until} ORDER BY forget_at LIMIT ${limit}) RETURNING seq`);
  // What the log still tells of goes with that.
  if (rows.length > 0)
    await release(
      tx,
      rows.map(({ seq }) => seq),
    );
  return rows.length;
}

async function sweepLogs(tx: Tx, until: number, limit: number): Promise<number> {
  const rows = await tx.all<{
    message: number;
  }>(sql`DELETE FROM logs WHERE seq IN (SELECT seq FROM logs WHERE at <= ${until} ORDER BY at LIMIT ${limit})
     RETURNING message`);
  if (rows.length === 0) return 0;
  // A run keeps its own, and what can still be looked at isn't over.
  const loose = await tx.all<{
    seq: number;
  }>(sql`SELECT seq FROM messages WHERE seq IN (SELECT value FROM json_each(${JSON.stringify(rows.map(({ message }) => message))}))
       AND run IS NULL AND forget_at IS NULL`);
  await release(
    tx,
    loose.map(({ seq }) => seq),
  );
  return rows.length;
}

async function sweepDeadLetters(tx: Tx, until: number, limit: number): Promise<number> {
  const rows = await tx.all<{ id: string; run: number | null }>(
    sql`SELECT id, run FROM dlq WHERE removed = 0 AND created_at <= ${until} ORDER BY created_at LIMIT ${limit}`,
  );
  for (const row of rows) await remove(tx, row);
  return rows.length;
}

/** A run that has failed stays with its dead letter, and one that another one goes on from stays with that. */
async function sweepRuns(tx: Tx, until: number, limit: number): Promise<number> {
  const runs = await tx.all<{
    key: number;
  }>(sql`SELECT key FROM runs WHERE completed_at <= ${until} AND dlq_id IS NULL AND successor IS NULL
       AND NOT EXISTS (SELECT 1 FROM messages
         WHERE run = runs.key AND state <> 'DELIVERED' AND due_at IS NOT NULL)
     ORDER BY completed_at LIMIT ${limit}`);
  if (runs.length === 0) return 0;
  const list = JSON.stringify(runs.map(({ key }) => key));
  const entries = await tx.all<{ message: string }>(sql`DELETE FROM entries WHERE seq IN
       (SELECT seq FROM entries WHERE run IN (SELECT value FROM json_each(${list})) LIMIT ${limit}) RETURNING message`);
  const ids = JSON.stringify(entries.map(({ message }) => message));
  await eraseAll(
    tx,
    "SELECT seq FROM messages WHERE id IN (SELECT value FROM json_each(?)) AND due_at IS NULL",
    ids,
  );
  // The runs themselves go after the last of their entries.
  if (entries.length < limit) await eraseRuns(tx, list);
  return Math.max(entries.length, runs.length);
}

const THEIRS = "run IN (SELECT value FROM json_each(?))";

async function eraseRuns(tx: Tx, runs: string): Promise<void> {
  await eraseAll(tx, `SELECT seq FROM messages WHERE ${THEIRS} AND state <> 'DELIVERED'`, runs);
  await eraseAll(tx, `SELECT seq FROM messages WHERE ${THEIRS} AND purpose = 'cancel'`, runs);
  await eraseAll(tx, `SELECT callback AS seq FROM dlq WHERE ${THEIRS} AND callback IS NOT NULL`, runs);
  for (const table of ["dlq", "waiters", "events", "webhooks", "rollbacks"])
    await tx.run(sql`DELETE FROM ${table} WHERE ${THEIRS}`);
  // Their places may be given to other runs.
  for (const column of ["successor", "parent"]) {
    await tx.run(
      sql`UPDATE runs SET ${column} = NULL WHERE ${column} IN (SELECT value FROM json_each(${runs}))`,
    );
  }
  await tx.run(sql`DELETE FROM runs WHERE key IN (SELECT value FROM json_each(${runs}))`);
}

async function eraseAll(tx: Tx, query: string, list: string): Promise<void> {
  const rows = await tx.all<{ seq: number }>(query, list);
  if (rows.length > 0) await erase(tx, rows);
}
