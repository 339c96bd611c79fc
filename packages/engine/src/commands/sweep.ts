import type { Expiry } from "../rules/retention.ts";
import { numbers, sql, type Tx } from "../store/tx.ts";
import { deleteUnreferenced } from "./delete-messages.ts";
import { removeDeadLetter } from "./remove-dead-letters.ts";
import { sweepFlows } from "./sweep-flows.ts";
import { sweepRuns } from "./sweep-runs.ts";

/** The deletions of one transaction. */
export interface Swept {
  /** Whether there may be more to delete. */
  readonly more: boolean;
  /** The keys of the deleted runs. */
  readonly runs: readonly number[];
}

/** Deletes what the engine has kept for long enough, up to `limit` of each kind. */
export async function sweep(tx: Tx, expiry: Expiry, limit: number): Promise<Swept> {
  const runs: number[] = [];
  const swept = [
    await sweepMessages(tx, expiry.messages, limit),
    await sweepLogs(tx, expiry.logs, limit),
    await sweepDeadLetters(tx, expiry.dlq, limit),
    await sweepDeduplications(tx, expiry.now, limit),
    await sweepRuns(tx, { until: expiry.runs, limit, deleted: runs }),
    await sweepAudit(tx, expiry.logs, limit),
    // Last: the log may name a flow control key.
    await sweepFlows(tx, expiry, limit),
  ];
  return { more: swept.some((count) => count >= limit), runs };
}

async function sweepMessages(tx: Tx, until: number, limit: number): Promise<number> {
  const rows = await tx.all<{ seq: number }>(sql`UPDATE messages SET delete_after = NULL WHERE seq IN
       (SELECT seq FROM messages WHERE delete_after <= ${until} ORDER BY delete_after LIMIT ${limit}) RETURNING seq`);
  // A message that the log refers to is deleted with its last row there.
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
  // A run keeps its messages, and `delete_after` keeps others for a while.
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
  // A letter that is locked is being resumed, or retried.
  const taken = await tx.tryLock("letter", ...rows.map(({ id }) => id));
  for (const row of rows.filter((_, at) => taken[at])) await removeDeadLetter(tx, row);
  return rows.length;
}

/** Deletes the deduplication keys that ended by `until`. @returns how many: `limit` at most */
async function sweepDeduplications(tx: Tx, until: number, limit: number): Promise<number> {
  return tx.run(
    // A key may have been used again since the inner query has read it.
    sql`DELETE FROM deduplications WHERE until <= ${until} AND key IN
      (SELECT key FROM deduplications WHERE until <= ${until} ORDER BY until LIMIT ${limit})`,
  );
}

async function sweepAudit(tx: Tx, until: number, limit: number): Promise<number> {
  return tx.run(
    sql`DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at <= ${until} ORDER BY at LIMIT ${limit})`,
  );
}
