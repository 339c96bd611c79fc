import { matchingRuns } from "../queries/lists.ts";
import { isAfterwards } from "../rules/message.ts";
import * as inOrder from "../store/in-order.ts";
import type { RunQuery } from "../store/lists.ts";
import type { CanceledMessage, CanceledRuns, EndedRun, RunEnd } from "../store/store.ts";
import { finishMessage } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { LIVE_MESSAGES, type MessageRow } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { finishRun, hasPending } from "./finish-run.ts";
import { letGo } from "./flow-limits.ts";
import { latestRun, lockRun, runOf } from "./messages.ts";
import { followUp } from "./on-message-finished.ts";
import { endAlarm } from "./rollbacks.ts";

const CANCELED = { state: "RUN_CANCELED", response: undefined } as const;

export async function endRun(tx: Tx, id: string, end: RunEnd, now: number): Promise<EndedRun> {
  const live = await lockRun(tx, id);
  if (live) return { kind: "ended", run: live, recorded: await finishRun(tx, live.key, end, now) };
  const last = await latestRun(tx, id);
  return { kind: last ? "ended before" : "unknown", run: last, recorded: [] };
}

export async function cancelRuns(tx: Tx, query: RunQuery, now: number): Promise<CanceledRuns> {
  const live = await matchingRuns(tx, { ...query, states: ["RUN_STARTED"] });
  const recorded = await inOrder.flatMap(live, async (run) => await finishRun(tx, run.key, CANCELED, now));
  return { runIds: live.map(({ id }) => id), recorded };
}

/** Takes back what a report waits for, with it. */
async function cancelAwaited(tx: Tx, { awaits }: MessageRow, now: number): Promise<void> {
  if (awaits === null) return;
  const first = await tx.one<{ id: string }>(
    sql`SELECT messages.id FROM due JOIN messages ON messages.seq = due.message WHERE due.message = ${awaits}`,
  );
  if (first) await cancelMessage(tx, first.id, now);
}

export async function cancelMessage(tx: Tx, id: string, now: number): Promise<CanceledMessage> {
  const row = await tx.one<MessageRow>(
    sql`${LIVE_MESSAGES} WHERE messages.id = ${id} AND due.status <> 'withdrawn'`,
  );
  if (!row) return { canceled: false, runId: undefined, recorded: [] };
  // A run's are kept for its log, and a report for the dead letter that it is of.
  const deleteAfter = row.run === null && row.kind !== "failure" ? now : null;
  await finishMessage(tx, row.seq, { outcome: "CANCELLED", deleteAfter });
  await cancelAwaited(tx, row, now);
  await logState(tx, row, "CANCEL_REQUESTED", now);
  await logState(tx, row, "CANCELLED", now);
  if (await letGo(tx, row.flow_key)) tx.wakeAt(now);
  await followUp(tx, row);
  await endAlarm(tx, row, now);
  const run = isAfterwards(row.kind) ? undefined : await runOf(tx, row.run);
  if (!run || (await hasPending(tx, run.key))) return { canceled: true, runId: undefined, recorded: [] };
  const recorded = await finishRun(tx, run.key, CANCELED, now);
  return { canceled: true, runId: run.id, recorded };
}
