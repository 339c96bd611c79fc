import { matchingRuns } from "../queries/lists.ts";
import { isPostRun } from "../rules/message.ts";
import type { EndedRun, RunEnd } from "../rules/run.ts";
import type { RunQuery } from "../store/lists.ts";
import { finishMessage } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { LIVE_MESSAGES, type MessageRow } from "../store/tables/rows.ts";
import { latestRun } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import { finishRun, hasPending } from "./finish-run.ts";
import { releaseWaiting } from "./flow-limits.ts";
import { endHold } from "./hold-run.ts";
import { lockRun, runOf } from "./messages.ts";
import { onMessageFinished } from "./on-message-finished.ts";
import { endAlarm } from "./rollbacks.ts";

const CANCELED = { state: "RUN_CANCELED", response: undefined } as const;

/** Ends a run, with the workflow's result or by cancellation. */
export async function endRun(tx: Tx, id: string, end: RunEnd): Promise<EndedRun> {
  const live = await lockRun(tx, id);
  if (live) {
    await finishRun(tx, live, end);
    return "ended";
  }
  return (await latestRun(tx, id)) ? "ended before" : "unknown";
}

/** Cancels the live runs that match, the newest first, `count` at most. @returns how many */
export async function cancelRuns(tx: Tx, query: RunQuery): Promise<number> {
  const live = await matchingRuns(tx, { ...query, states: ["RUN_STARTED"] });
  for (const run of live) await finishRun(tx, run, CANCELED);
  return live.length;
}

/** Takes back what a report waits for, with it. */
async function cancelAwaited(tx: Tx, { awaits }: MessageRow): Promise<void> {
  if (awaits === null) return;
  const first = await tx.one<{ id: string }>(
    sql`SELECT messages.id FROM due JOIN messages ON messages.seq = due.message WHERE due.message = ${awaits}`,
  );
  if (first) await cancelMessage(tx, first.id);
}

/** Cancels a message, and its run when nothing else is pending of it. @returns whether there was such a message */
export async function cancelMessage(tx: Tx, id: string): Promise<boolean> {
  const row = await tx.one<MessageRow>(
    sql`${LIVE_MESSAGES} WHERE messages.id = ${id} AND due.status <> 'withdrawn'`,
  );
  if (!row) return false;
  // A run's are kept for its log, and a report for the dead letter that it is of.
  const deleteAfter = row.run === null && row.kind !== "failure" ? tx.now : null;
  await finishMessage(tx, row.seq, { outcome: "CANCELLED", deleteAfter });
  await endHold(tx, row);
  await cancelAwaited(tx, row);
  await logState(tx, row, "CANCEL_REQUESTED");
  await logState(tx, row, "CANCELLED");
  if (await releaseWaiting(tx, row.flow_key)) tx.wakeAt(tx.now);
  await onMessageFinished(tx, row);
  await endAlarm(tx, row);
  const run = await runOf(tx, row.run);
  if (!run) return true;
  if (isPostRun(row.kind))
    tx.record({ type: "failure.canceled", runId: run.id, messageId: row.id, kind: row.kind });
  else if (!(await hasPending(tx, run.key))) await finishRun(tx, run, CANCELED);
  return true;
}
