import { isAfterwards } from "../../domain/message.ts";
import * as inOrder from "../in-order.ts";
import type { RunQuery } from "../lists.ts";
import type { CanceledMessage, CanceledRuns, EndedRun, RunEnd } from "../store.ts";
import { sql, type Tx } from "../tx.ts";
import { finishRun, hasPending } from "./finish.ts";
import { letGo } from "./flow.ts";
import { followUp } from "./follow-up.ts";
import { matchingRuns } from "./listing.ts";
import { logState } from "./log.ts";
import { latestRun, liveRun, runOf } from "./messages.ts";
import { endAlarm } from "./rollbacks.ts";
import type { MessageRow } from "./rows.ts";

const CANCELED = { state: "RUN_CANCELED", response: undefined } as const;

export async function endRun(tx: Tx, id: string, end: RunEnd, now: number): Promise<EndedRun> {
  const live = await liveRun(tx, id);
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
async function cancelAwaited(tx: Tx, { run, seq, purpose }: MessageRow, now: number): Promise<void> {
  if (run === null || purpose !== "failure") return;
  const first = await tx.one<{ id: string }>(
    sql`SELECT id FROM messages WHERE run = ${run} AND state <> 'DELIVERED' AND due_at IS NOT NULL AND next = ${seq}`,
  );
  if (first) await cancelMessage(tx, first.id, now);
}

export async function cancelMessage(tx: Tx, id: string, now: number): Promise<CanceledMessage> {
  const row = await tx.one<MessageRow>(sql`SELECT * FROM messages WHERE id = ${id} AND due_at IS NOT NULL`);
  if (!row) return { canceled: false, runId: undefined, recorded: [] };
  // A run's are kept for its log, and a report for the dead letter that it is of.
  const forgetAt = row.run === null && row.purpose !== "failure" ? now : null;
  await tx.run(
    sql`UPDATE messages SET state = 'CANCELLED', due_at = NULL, parked = NULL, lane = NULL, held = NULL, forget_at = ${forgetAt} WHERE seq = ${row.seq}`,
  );
  await cancelAwaited(tx, row, now);
  await logState(tx, row, "CANCEL_REQUESTED", now);
  await logState(tx, row, "CANCELLED", now);
  if (await letGo(tx, row.flow_key)) tx.wakeAt(now);
  await followUp(tx, row);
  await endAlarm(tx, row, now);
  const run = isAfterwards(row.purpose) ? undefined : await runOf(tx, row.run);
  if (!run || (await hasPending(tx, run.key))) return { canceled: true, runId: undefined, recorded: [] };
  const recorded = await finishRun(tx, run.key, CANCELED, now);
  return { canceled: true, runId: run.id, recorded };
}
