import { decodeTraits, type RollbackRecord } from "@perdure/core/protocol";
import { retryPolicy } from "../../domain/policy.ts";
import { sql, type Tx } from "../tx.ts";
import { logState } from "./log.ts";
import { type MessageRow, type RunRow, toRun } from "./rows.ts";

/** What has become of the rollbacks of a run's steps, the first one first. */
export async function rollbacksOf(tx: Tx, run: number): Promise<RollbackRecord[]> {
  return (
    await tx.all<{ record: string }>(sql`SELECT record FROM rollbacks WHERE run = ${run} ORDER BY seq`)
  ).map(({ record }) => JSON.parse(record) as RollbackRecord);
}

/** One rollback more is on record; the message that asks for them goes on to the next one. */
export async function recordRollback(
  tx: Tx,
  row: MessageRow,
  record: RollbackRecord,
  now: number,
): Promise<void> {
  await tx.run(
    sql`INSERT OR IGNORE INTO rollbacks (run, step, record) VALUES (${row.run}, ${record.stepId}, ${JSON.stringify(record)})`,
  );
  await tx.run(sql`DELETE FROM failures WHERE message = ${row.seq}`);
  await tx.run(
    sql`UPDATE messages SET state = 'CREATED', due_at = ${now}, retried = 0 WHERE seq = ${row.seq}`,
  );
  await logState(tx, row, "RETRY", now, { dueAt: now });
  tx.wakeAt(now);
}

/** Steps of a group whose delivery had begun, though it may not have come to its end. */
export async function startedSteps(tx: Tx, run: number): Promise<number[]> {
  return (
    await tx.all<{
      record: string;
    }>(sql`SELECT entries.record FROM entries LEFT JOIN messages ON messages.id = entries.message
       WHERE entries.run = ${run} AND entries.record LIKE 'plan:%' AND coalesce(messages.fence, 1) > 0`)
  ).map(({ record }) => Number(record.slice("plan:".length)));
}

/** The message that has waited for the end of this one is due. */
export async function releaseNext(tx: Tx, seq: number, now: number): Promise<void> {
  const next = await tx.one<{
    due_at: number;
  }>(sql`UPDATE messages SET due_at = max(not_before, ${now}) WHERE due_at IS NULL AND state = 'CREATED'
       AND seq = (SELECT next FROM messages WHERE seq = ${seq}) RETURNING due_at`);
  if (next) tx.wakeAt(next.due_at);
}

/** Whether anything is under way that comes after a run's end. */
export async function isReporting(tx: Tx, run: number): Promise<boolean> {
  const found =
    await tx.one(sql`SELECT 1 FROM messages WHERE run = ${run} AND state <> 'DELIVERED' AND due_at IS NOT NULL
       AND purpose IN ('failure', 'rollback', 'cancel') LIMIT 1`);
  return found !== undefined;
}

/** Notes what a run's endpoint wants to be done for it: it holds for what is to be delivered yet. */
export async function noteTraits(tx: Tx, key: number, traits: string): Promise<void> {
  const row = await tx.one<RunRow>(sql`UPDATE runs SET traits = ${traits} WHERE key = ${key} RETURNING *`);
  if (!row) return;
  const run = toRun(row);
  for (const [purpose, purposes] of POLICIES) {
    const { retries, retryDelay } = retryPolicy(run, purpose);
    if (retries === undefined && retryDelay === undefined) continue;
    await tx.run(sql`UPDATE messages SET max_retries = coalesce(${retries ?? null}, max_retries), retry_delay = coalesce(${retryDelay ?? null}, retry_delay)
       WHERE run = ${key} AND state <> 'DELIVERED' AND state IN ('CREATED', 'ACTIVE', 'RETRY') AND purpose IN (${purposes})`);
  }
  const { timeout } = decodeTraits(traits);
  if (timeout === undefined || row.deadline !== null || row.state !== "RUN_STARTED") return;
  const deadline = row.created_at + Math.round(timeout * 1000);
  await tx.run(sql`UPDATE runs SET deadline = ${deadline} WHERE key = ${key}`);
  tx.wakeAt(deadline);
}

/** Messages of a run that are retried alike. */
const POLICIES = [
  ["step", "'step', 'answer', 'rollback', 'cancel'"],
  ["failure", "'failure'"],
] as const;
