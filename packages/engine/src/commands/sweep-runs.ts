import type { MessageKind } from "../rules/message.ts";
import type { Outcome } from "../rules/message-status.ts";
import { IS_UNFINISHED } from "../store/tables/due.ts";
import { constants, numbers, type Sql, sql, strings, type Tx, type ValueList } from "../store/tx.ts";
import { deleteMessages } from "./delete-messages.ts";

interface RunSweep {
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly limit: number;
  /** Gets the keys of the runs that are deleted. */
  readonly deleted: number[];
}

/**
 * Deletes runs that ended by `until`, with their histories. A failed run stays with its dead letter, and a run that was
 * resumed stays with its successor.
 *
 * @returns how many entries or runs it has looked at: `limit` at most
 */
export async function sweepRuns(tx: Tx, { until, limit, deleted }: RunSweep): Promise<number> {
  const runs = await tx.all<{ key: number }>(
    sql`SELECT key FROM runs WHERE completed_at <= ${until} AND dlq_id IS NULL AND successor IS NULL
       AND NOT EXISTS (SELECT 1 FROM due WHERE run = runs.key AND ${IS_UNFINISHED})
     ORDER BY completed_at LIMIT ${limit}`,
  );
  if (runs.length === 0) return 0;
  const keys = numbers(runs.map(({ key }) => key));
  const entries = await tx.all<{ message: string }>(
    sql`DELETE FROM entries WHERE seq IN
       (SELECT seq FROM entries WHERE run IN (${keys}) LIMIT ${limit}) RETURNING message`,
  );
  const ids = strings(entries.map(({ message }) => message));
  await deleteFound(tx, sql`SELECT seq FROM messages WHERE id IN (${ids}) AND outcome IS NOT NULL`);
  // Runs are deleted after the last of their entries.
  if (entries.length < limit) {
    await deleteRuns(tx, keys);
    deleted.push(...runs.map(({ key }) => key));
  }
  return Math.max(entries.length, runs.length);
}

/** The tables whose rows belong to a run. */
const TABLES = [
  sql`dlq`,
  sql`waiters`,
  sql`events`,
  sql`webhooks`,
  sql`rollbacks`,
  sql`run_labels`,
  sql`run_leases`,
];

async function deleteRuns(tx: Tx, keys: ValueList): Promise<void> {
  const ofRuns = sql`run IN (${keys})`;
  const [delivered, cancel] = [constants<Outcome>("DELIVERED"), constants<MessageKind>("cancel")];
  await deleteFound(
    tx,
    sql`SELECT seq FROM messages WHERE ${ofRuns} AND (outcome IS NULL OR outcome <> ${delivered})`,
  );
  await deleteFound(tx, sql`SELECT seq FROM messages WHERE ${ofRuns} AND kind = ${cancel}`);
  await deleteFound(tx, sql`SELECT callback AS seq FROM dlq WHERE ${ofRuns} AND callback IS NOT NULL`);
  for (const table of TABLES) await tx.run(sql`DELETE FROM ${table} WHERE ${ofRuns}`);
  // A new run may get the key of a deleted one.
  for (const column of [sql`successor`, sql`parent`]) {
    await tx.run(sql`UPDATE runs SET ${column} = NULL WHERE ${column} IN (${keys})`);
  }
  await tx.run(sql`DELETE FROM runs WHERE key IN (${keys})`);
}

async function deleteFound(tx: Tx, query: Sql): Promise<void> {
  const rows = await tx.all<{ seq: number }>(query);
  await deleteMessages(
    tx,
    rows.map(({ seq }) => seq),
  );
}
