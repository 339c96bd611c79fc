import type { Expiry } from "../rules/retention.ts";
import { numbers, type Sql, sql, strings, type Tx, type ValueList } from "../store/tx.ts";
import { remove } from "./dead-letters.ts";
import { sweepDeduplications } from "./deduplicate.ts";
import { deleteMessages, deleteUnreferenced } from "./delete-unreferenced.ts";
import { sweepFlows } from "./flow-limits.ts";

/** Deletes what is past its time, up to `limit` of each kind. @returns whether there may be more */
export async function sweep(tx: Tx, expiry: Expiry, limit: number): Promise<boolean> {
  const swept = [
    await sweepMessages(tx, expiry.messages, limit),
    await sweepLogs(tx, expiry.logs, limit),
    await sweepDeadLetters(tx, expiry.dlq, limit),
    await sweepDeduplications(tx, expiry.now, limit),
    await sweepRuns(tx, expiry.runs, limit),
    // As long as the log may tell of a key, it is there.
    await sweepFlows(tx, expiry, limit),
  ];
  return swept.some((count) => count >= limit);
}

async function sweepMessages(tx: Tx, until: number, limit: number): Promise<number> {
  const rows = await tx.all<{ seq: number }>(sql`UPDATE messages SET delete_after = NULL WHERE seq IN
       (SELECT seq FROM messages WHERE delete_after <= ${until} ORDER BY delete_after LIMIT ${limit}) RETURNING seq`);
  // What the log still tells of goes with that.
  if (rows.length > 0)
    await deleteUnreferenced(
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
  }>(sql`SELECT seq FROM messages WHERE seq IN (${numbers(rows.map(({ message }) => message))})
       AND run IS NULL AND delete_after IS NULL`);
  await deleteUnreferenced(
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
       AND NOT EXISTS (SELECT 1 FROM due WHERE run = runs.key AND status <> 'withdrawn')
     ORDER BY completed_at LIMIT ${limit}`);
  if (runs.length === 0) return 0;
  const keys = numbers(runs.map(({ key }) => key));
  const entries = await tx.all<{ message: string }>(sql`DELETE FROM entries WHERE seq IN
       (SELECT seq FROM entries WHERE run IN (${keys}) LIMIT ${limit}) RETURNING message`);
  const ids = strings(entries.map(({ message }) => message));
  await eraseAll(tx, sql`SELECT seq FROM messages WHERE id IN (${ids}) AND outcome IS NOT NULL`);
  // The runs themselves go after the last of their entries.
  if (entries.length < limit) await eraseRuns(tx, keys);
  return Math.max(entries.length, runs.length);
}

/** The tables whose rows belong to a run. */
const TABLES = [sql`dlq`, sql`waiters`, sql`events`, sql`webhooks`, sql`rollbacks`, sql`run_labels`];

async function eraseRuns(tx: Tx, keys: ValueList): Promise<void> {
  const ofRuns = sql`run IN (${keys})`;
  await eraseAll(tx, sql`SELECT seq FROM messages WHERE ${ofRuns} AND coalesce(outcome, '') <> 'DELIVERED'`);
  await eraseAll(tx, sql`SELECT seq FROM messages WHERE ${ofRuns} AND kind = 'cancel'`);
  await eraseAll(tx, sql`SELECT callback AS seq FROM dlq WHERE ${ofRuns} AND callback IS NOT NULL`);
  for (const table of TABLES) await tx.run(sql`DELETE FROM ${table} WHERE ${ofRuns}`);
  // Their places may be given to other runs.
  for (const column of [sql`successor`, sql`parent`]) {
    await tx.run(sql`UPDATE runs SET ${column} = NULL WHERE ${column} IN (${keys})`);
  }
  await tx.run(sql`DELETE FROM runs WHERE key IN (${keys})`);
}

async function eraseAll(tx: Tx, query: Sql): Promise<void> {
  const rows = await tx.all<{ seq: number }>(query);
  if (rows.length > 0) await deleteMessages(tx, rows);
}
