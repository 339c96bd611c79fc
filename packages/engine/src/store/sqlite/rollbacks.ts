import { decodeTraits, type RollbackRecord } from "@perdure/core/protocol";
import { newMessageId } from "../../domain/ids.ts";
import type { Learned } from "../../domain/outcome.ts";
import { retryPolicy } from "../../domain/policy.ts";
import type { Database } from "./database.ts";
import { release } from "./erase.ts";
import { logState } from "./log.ts";
import { type Due, insertMessage } from "./messages.ts";
import { type MessageRow, type RunRow, toMessage, toRun } from "./rows.ts";

/** A message that waits for the end of another one of its run. */
export const IS_AWAITING = `EXISTS (SELECT 1 FROM messages AS first WHERE first.run = messages.run
  AND first.state <> 'DELIVERED' AND first.due_at IS NOT NULL AND first.next = messages.seq)`;

/** What has become of the rollbacks of a run's steps, the first one first. */
export function rollbacksOf(db: Database, run: number): RollbackRecord[] {
  return db
    .all<{ record: string }>("SELECT record FROM rollbacks WHERE run = ? ORDER BY seq", run)
    .map(({ record }) => JSON.parse(record) as RollbackRecord);
}

/** One rollback more is on record; the message that asks for them goes on to the next one. */
export function recordRollback(
  db: Database,
  row: MessageRow,
  record: RollbackRecord,
  now: number,
  due: Due,
): void {
  db.run(
    "INSERT OR IGNORE INTO rollbacks (run, step, record) VALUES (?, ?, ?)",
    row.run,
    record.stepId,
    JSON.stringify(record),
  );
  db.run("DELETE FROM failures WHERE message = ?", row.seq);
  db.run("UPDATE messages SET state = 'CREATED', due_at = ?, retried = 0 WHERE seq = ?", now, row.seq);
  logState(db, row, "RETRY", now, { dueAt: now });
  due(now);
}

/** Steps of a group whose delivery had begun, though it may not have come to its end. */
export function startedSteps(db: Database, run: number): number[] {
  return db
    .all<{ record: string }>(
      // What isn't kept any more was delivered.
      `SELECT entries.record FROM entries LEFT JOIN messages ON messages.id = entries.message
       WHERE entries.run = ? AND entries.record LIKE 'plan:%' AND coalesce(messages.fence, 1) > 0`,
      run,
    )
    .map(({ record }) => Number(record.slice("plan:".length)));
}

/** Has the report that a message at `next` puts off go out now, unless it has gone out already. */
export function raiseAlarm(db: Database, { next }: MessageRow, now: number, due: Due): void {
  if (next === null) return;
  const alarm = db.get<{ due_at: number }>(
    `UPDATE messages SET due_at = max(not_before, ?) WHERE seq = ? AND due_at > ? AND state = 'CREATED'
       AND parked IS NULL RETURNING due_at`,
    now,
    next,
    now,
  );
  if (alarm) due(alarm.due_at);
}

/** The rollbacks that a message asks for are over: the report that waits for them goes out, once more if need be. */
export function endAlarm(db: Database, row: MessageRow, now: number, due: Due): void {
  const alarm =
    row.next === null ? undefined : db.get<MessageRow>("SELECT * FROM messages WHERE seq = ?", row.next);
  if (!alarm || alarm.state === "CANCELLED") return;
  // Each attempt tells of the rollbacks as they are then. An attempt that was begun has told that they are pending.
  if (alarm.fence === 0) raiseAlarm(db, row, now, due);
  if (alarm.fence === 0 || alarm.state === "RETRY") return;
  const again = { ...toMessage(alarm), id: newMessageId(), notBefore: now, createdAt: now };
  const seq = insertMessage(db, again, due, { run: row.run ?? undefined });
  db.run("UPDATE dlq SET callback = ? WHERE callback = ?", seq, alarm.seq);
  release(db, [alarm.seq]);
}

/** Whether the workflow is still being asked for a run's rollbacks, while somebody else is told of its failure. */
export function isRollingBack(db: Database, run: number): boolean {
  const found = db.get(
    `SELECT 1 FROM messages WHERE run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL
       AND purpose = 'rollback' LIMIT 1`,
    run,
  );
  return found !== undefined;
}

/** Whether anything is under way that comes after a run's end. */
export function isReporting(db: Database, run: number): boolean {
  const found = db.get(
    `SELECT 1 FROM messages WHERE run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL
       AND purpose IN ('failure', 'rollback', 'cancel') LIMIT 1`,
    run,
  );
  return found !== undefined;
}

/** Notes what an answer tells of a run's endpoint. */
export function learn(db: Database, run: number, { traits, identified }: Learned, due: Due): void {
  if (identified) db.run("UPDATE runs SET identified = 1 WHERE key = ?", run);
  if (traits !== undefined) noteTraits(db, run, traits, due);
}

/** Notes what a run's endpoint wants to be done for it: it holds for what is to be delivered yet. */
function noteTraits(db: Database, key: number, traits: string, due: Due): void {
  const row = db.get<RunRow>("UPDATE runs SET traits = ? WHERE key = ? RETURNING *", traits, key);
  if (!row) return;
  const run = toRun(row);
  for (const [purpose, purposes] of POLICIES) {
    const { retries, retryDelay } = retryPolicy(run, purpose);
    if (retries === undefined && retryDelay === undefined) continue;
    db.run(
      `UPDATE messages SET max_retries = coalesce(?, max_retries), retry_delay = coalesce(?, retry_delay)
       WHERE run = ? AND state <> 'DELIVERED' AND state IN ('CREATED', 'ACTIVE', 'RETRY') AND purpose IN (${purposes})`,
      retries ?? null,
      retryDelay ?? null,
      key,
    );
  }
  const { timeout } = decodeTraits(traits);
  if (timeout === undefined || row.deadline !== null || row.state !== "RUN_STARTED") return;
  const deadline = row.created_at + Math.round(timeout * 1000);
  db.run("UPDATE runs SET deadline = ? WHERE key = ?", deadline, key);
  due(deadline);
}

/** Messages of a run that are retried alike. */
const POLICIES = [
  ["step", "'step', 'answer', 'rollback', 'cancel'"],
  ["failure", "'failure'"],
] as const;
