import { newMessageId } from "@perdure/core/protocol";
import type { Failure } from "../rules/message.ts";
import { deliveryOf, type Run } from "../rules/run.ts";
import { finishMessage } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { MESSAGES, type MessageRow, type RunRow, toRun } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { finishRun } from "./finish-run.ts";
import { insertMessage } from "./messages.ts";

/** Runs that one claim fails at most. */
const MAX_RUNS = 100;

/** Fails the runs that have not ended within their time limit. */
export async function expireRuns(tx: Tx): Promise<void> {
  const rows = await tx.all<RunRow>(
    sql`SELECT * FROM runs WHERE deadline <= ${tx.now} AND state = 'RUN_STARTED' ORDER BY deadline LIMIT ${MAX_RUNS}`,
  );
  for (const row of rows) {
    const run = toRun(row);
    const error = `the run has not ended within ${((row.deadline ?? tx.now) - run.createdAt) / 1000} s of its start`;
    const failure: Failure = { at: tx.now, error, reply: undefined, byEngine: true };
    const message = await insertFailed(tx, run);
    const dlqId = await finishRun(tx, run, { state: "RUN_FAILED", failure, message });
    tx.record({ type: "run.expired", runId: run.id, error, dlqId: dlqId ?? "" });
  }
}

/** When the next run reaches its time limit. */
export async function nextExpiry(tx: Tx): Promise<number | undefined> {
  return (
    await tx.one<{ deadline: number }>(
      sql`SELECT deadline FROM runs WHERE deadline IS NOT NULL AND state = 'RUN_STARTED' ORDER BY deadline LIMIT 1`,
    )
  )?.deadline;
}

/** A message that stands for the failed delivery in the dead letter queue: no delivery of the run has failed. */
async function insertFailed(tx: Tx, run: Run): Promise<MessageRow> {
  const last = await tx.one<{ seq: number }>(sql`SELECT max(seq) AS seq FROM entries WHERE run = ${run.key}`);
  const draft = { ...deliveryOf(run, "step", tx.now), id: newMessageId(), notBefore: tx.now, retries: 0 };
  const seq = await insertMessage(tx, draft, { run: run.key, ...(last ? { entry: last.seq } : {}) });
  await logState(tx, { seq, kind: draft.kind }, "FAILED");
  await finishMessage(tx, seq, { outcome: "FAILED", deleteAfter: null });
  return (await tx.one<MessageRow>(sql`${MESSAGES} WHERE messages.seq = ${seq}`)) as MessageRow;
}
