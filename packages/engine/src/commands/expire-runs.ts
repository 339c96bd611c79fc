import { newMessageId } from "@perdure/core/protocol";
import type { Failure } from "../rules/message.ts";
import { deliveryOf, isLive, type Run } from "../rules/run.ts";
import { finishMessage } from "../store/tables/due.ts";
import { lastEntry } from "../store/tables/entries.ts";
import { logState } from "../store/tables/logs.ts";
import { MESSAGES, type MessageRow, RUNS, type RunRow } from "../store/tables/rows.ts";
import { IS_LIVE, runOf } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import type { Locks } from "./claim-locks.ts";
import { finishRun } from "./finish-run.ts";
import { insertMessage } from "./insert-message.ts";

/** Runs that one claim fails at most. */
const MAX_EXPIRED_AT_ONCE = 100;

/** Fails the runs that have not ended within their time limit. */
export async function expireRuns(tx: Tx, locks: Locks): Promise<void> {
  const rows = await tx.all<RunRow>(
    sql`${RUNS} WHERE deadline <= ${tx.now} AND ${IS_LIVE} ORDER BY deadline LIMIT ${MAX_EXPIRED_AT_ONCE}`,
  );
  for (const row of rows) {
    if (!(await locks.take("run", row.id))) continue;
    const run = await runOf(tx, row.key);
    // It may have ended before the lock.
    if (!run || !isLive(run)) continue;
    const ms = tx.now - run.createdAt;
    const error = `the run has not ended within ${((row.deadline ?? tx.now) - run.createdAt) / 1000} s of its start`;
    const failure: Failure = { at: tx.now, error, reply: undefined, byEngine: true };
    const message = await insertFailedMessage(tx, run);
    const dlqId = await finishRun(tx, run, { state: "RUN_FAILED", failure, message });
    tx.record({ type: "run.expired", runId: run.id, ms, error, dlqId: dlqId ?? "" });
  }
}

/** Stores a failed message for the dead letter, which needs one: no delivery of the run has failed. */
async function insertFailedMessage(tx: Tx, run: Run): Promise<MessageRow> {
  const last = await lastEntry(tx, run.key);
  const message = { ...deliveryOf(run, "step", tx.now), id: newMessageId(), notBefore: tx.now, retries: 0 };
  const seq = await insertMessage(tx, message, { run: run.key, ...(last ? { entry: last.seq } : {}) });
  await logState(tx, { seq, kind: message.kind }, "FAILED");
  await finishMessage(tx, seq, { outcome: "FAILED", deleteAfter: null });
  return (await tx.one<MessageRow>(sql`${MESSAGES} WHERE messages.seq = ${seq}`)) as MessageRow;
}
