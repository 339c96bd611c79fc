import {
  decodeCapabilities,
  keyOf,
  newMessageId,
  type RollbackRecord,
  stepOfKey,
} from "@perdure/core/protocol";
import { transition } from "../rules/message-status.ts";
import { retryPolicy } from "../rules/policy.ts";
import type { LearnedFacts } from "../rules/settlement.ts";
import { IS_POST_RUN } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { MESSAGES, type MessageRow, type RunRow, toMessage, toRun } from "../store/tables/rows.ts";
import { GREATEST, sql, strings, type Tx } from "../store/tx.ts";
import { deleteUnreferenced } from "./delete-unreferenced.ts";
import { insertMessage } from "./messages.ts";

/** Reads the rollbacks of a run's steps, in the order in which they ran. */
export async function rollbacksOf(tx: Tx, run: number): Promise<RollbackRecord[]> {
  return (
    await tx.all<{ record: string }>(sql`SELECT record FROM rollbacks WHERE run = ${run} ORDER BY seq`)
  ).map(({ record }) => JSON.parse(record) as RollbackRecord);
}

/** One rollback more is on record; the message that asks for them goes on to the next one. */
export async function recordRollback(tx: Tx, row: MessageRow, record: RollbackRecord): Promise<void> {
  await tx.run(
    sql`INSERT INTO rollbacks (run, step, record) VALUES (${row.run}, ${record.stepId}, ${JSON.stringify(record)})
       ON CONFLICT DO NOTHING`,
  );
  await tx.run(sql`DELETE FROM failures WHERE message = ${row.seq}`);
  await tx.run(
    sql`UPDATE due SET status = ${transition(row.status, "release", 0)}, at = ${tx.now}, retried = 0, owner = NULL
      WHERE message = ${row.seq}`,
  );
  await logState(tx, row, "RETRY", { dueAt: tx.now });
  tx.wakeAt(tx.now);
}

/** Steps of a group whose delivery had begun, though it may not have come to its end. */
export async function startedSteps(tx: Tx, run: number): Promise<number[]> {
  const rows = await tx.all<{ record: string }>(
    // What isn't kept any more was delivered.
    sql`SELECT entries.record FROM entries LEFT JOIN messages ON messages.id = entries.message
      LEFT JOIN due ON due.message = messages.seq
      WHERE entries.run = ${run} AND entries.record LIKE ${keyOf("plan", "%")} AND coalesce(due.fence, messages.attempts, 1) > 0`,
  );
  return rows.map(({ record }) => Number(stepOfKey(record)));
}

/** Sends the report that waits for these rollbacks now, unless it was sent before. */
export async function startAlarm(tx: Tx, { seq, kind }: MessageRow): Promise<void> {
  if (kind !== "rollback") return;
  const alarm = await tx.one<{ at: number }>(
    sql`UPDATE due SET at = ${GREATEST}((SELECT not_before FROM messages WHERE seq = due.message), ${tx.now})
      WHERE message = (SELECT seq FROM messages WHERE awaits = ${seq}) AND status = 'scheduled' AND at > ${tx.now}
      RETURNING at`,
  );
  if (alarm) tx.wakeAt(alarm.at);
}

/** The rollbacks that a message asks for are over: the report that waits for them goes out, once more if need be. */
export async function endAlarm(tx: Tx, row: MessageRow): Promise<void> {
  if (row.kind !== "rollback") return;
  const alarm = await tx.one<MessageRow>(sql`${MESSAGES} WHERE messages.awaits = ${row.seq}`);
  if (!alarm || alarm.outcome === "CANCELLED") return;
  // Each attempt tells of the rollbacks as they are then. An attempt that was begun has told that they are pending.
  if (alarm.fence === 0) {
    await startAlarm(tx, row);
    return;
  }
  if (toMessage(alarm).state === "RETRY") return;
  const again = { ...toMessage(alarm), id: newMessageId(), notBefore: tx.now, createdAt: tx.now };
  const seq = await insertMessage(tx, again, { run: row.run ?? undefined });
  await tx.run(sql`UPDATE dlq SET callback = ${seq} WHERE callback = ${alarm.seq}`);
  await deleteUnreferenced(tx, [alarm.seq]);
}

/** Whether the workflow is still being asked for a run's rollbacks, while somebody else is told of its failure. */
export async function isRollingBack(tx: Tx, run: number): Promise<boolean> {
  const found = await tx.one(sql`SELECT 1 FROM due WHERE run = ${run} AND kind = 'rollback' LIMIT 1`);
  return found !== undefined;
}

/** Whether anything is under way that comes after a run's end. */
export async function isReporting(tx: Tx, run: number): Promise<boolean> {
  const found = await tx.one(sql`SELECT 1 FROM due WHERE run = ${run} AND ${IS_POST_RUN} LIMIT 1`);
  return found !== undefined;
}

/** Notes what an answer tells of a run's endpoint. */
export async function recordLearned(
  tx: Tx,
  run: number,
  { capabilities, identified }: LearnedFacts,
): Promise<void> {
  if (identified) await tx.run(sql`UPDATE runs SET identified = 1 WHERE key = ${run} AND identified = 0`);
  if (capabilities !== undefined) await recordCapabilities(tx, run, capabilities);
}

/** Notes what a run's endpoint wants to be done for it: it holds for what is to be delivered yet. */
async function recordCapabilities(tx: Tx, key: number, capabilities: string): Promise<void> {
  const row = await tx.one<RunRow>(
    sql`UPDATE runs SET capabilities = ${capabilities} WHERE key = ${key} RETURNING *`,
  );
  if (!row) return;
  const run = toRun(row);
  for (const [kind, kinds] of POLICIES) {
    const { retries, retryDelay } = retryPolicy(run, kind);
    if (retries === undefined && retryDelay === undefined) continue;
    await tx.run(
      sql`UPDATE messages SET max_retries = coalesce(${retries ?? null}, max_retries),
        retry_delay = coalesce(${retryDelay ?? null}, retry_delay)
        WHERE seq IN (SELECT message FROM due WHERE run = ${key} AND kind IN (${strings(kinds)}))`,
    );
  }
  const { timeout } = decodeCapabilities(capabilities);
  if (timeout === undefined || row.deadline !== null || row.state !== "RUN_STARTED") return;
  const deadline = row.created_at + Math.round(timeout * 1000);
  await tx.run(sql`UPDATE runs SET deadline = ${deadline} WHERE key = ${key}`);
  tx.wakeAt(deadline);
}

/** Messages of a run that are retried alike. */
const POLICIES = [
  ["step", ["step", "answer", "rollback", "cancel"]],
  ["failure", ["failure"]],
] as const;
