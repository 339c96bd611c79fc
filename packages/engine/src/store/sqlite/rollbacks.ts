import { decodeTraits, type RollbackRecord } from "@perdure/core/protocol";
import { retryPolicy } from "../../domain/policy.ts";
import type { Database, Due } from "./database.ts";
import { logState } from "./log.ts";
import { type MessageRow, type RunRow, toRun } from "./rows.ts";

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

/** The message that has waited for the end of this one is due. */
export function releaseNext(db: Database, seq: number, now: number, due: Due): void {
  const next = db.get<{ due_at: number }>(
    `UPDATE messages SET due_at = max(not_before, ?) WHERE due_at IS NULL AND state = 'CREATED'
       AND seq = (SELECT next FROM messages WHERE seq = ?) RETURNING due_at`,
    now,
    seq,
  );
  if (next) due(next.due_at);
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

/** Notes what a run's endpoint wants to be done for it: it holds for what is to be delivered yet. */
export function noteTraits(db: Database, key: number, traits: string, due: Due): void {
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
