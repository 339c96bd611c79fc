import { isAfterwards } from "../../domain/message.ts";
import type { RunQuery } from "../lists.ts";
import type { CanceledMessage, CanceledRuns, EndedRun, RunEnd } from "../store.ts";
import type { Database } from "./database.ts";
import { finishRun, hasPending } from "./finish.ts";
import { letGo } from "./flow.ts";
import { followUp } from "./follow-up.ts";
import { matchingRuns } from "./listing.ts";
import { logState } from "./log.ts";
import { type Due, latestRun, liveRun, runOf } from "./messages.ts";
import { endAlarm } from "./rollbacks.ts";
import type { MessageRow } from "./rows.ts";

const CANCELED = { state: "RUN_CANCELED", response: undefined } as const;

export function endRun(db: Database, id: string, end: RunEnd, now: number, due: Due): EndedRun {
  const live = liveRun(db, id);
  if (live) return { kind: "ended", run: live, recorded: finishRun(db, live.key, end, now, due) };
  const last = latestRun(db, id);
  return { kind: last ? "ended before" : "unknown", run: last, recorded: [] };
}

export function cancelRuns(db: Database, query: RunQuery, now: number, due: Due): CanceledRuns {
  const live = matchingRuns(db, { ...query, states: ["RUN_STARTED"] });
  const recorded = live.flatMap((run) => finishRun(db, run.key, CANCELED, now, due));
  return { runIds: live.map(({ id }) => id), recorded };
}

/** Takes back what a report waits for, with it. */
function cancelAwaited(db: Database, { run, seq, purpose }: MessageRow, now: number, due: Due): void {
  if (run === null || purpose !== "failure") return;
  const first = db.get<{ id: string }>(
    "SELECT id FROM messages WHERE run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL AND next = ?",
    run,
    seq,
  );
  if (first) cancelMessage(db, first.id, now, due);
}

export function cancelMessage(db: Database, id: string, now: number, due: Due): CanceledMessage {
  const row = db.get<MessageRow>("SELECT * FROM messages WHERE id = ? AND due_at IS NOT NULL", id);
  if (!row) return { canceled: false, runId: undefined, recorded: [] };
  // A run's are kept for its log, and a report for the dead letter that it is of.
  const forgetAt = row.run === null && row.purpose !== "failure" ? now : null;
  db.run(
    "UPDATE messages SET state = 'CANCELLED', due_at = NULL, parked = NULL, lane = NULL, held = NULL, forget_at = ? WHERE seq = ?",
    forgetAt,
    row.seq,
  );
  cancelAwaited(db, row, now, due);
  logState(db, row, "CANCEL_REQUESTED", now);
  logState(db, row, "CANCELLED", now);
  if (letGo(db, row.flow_key)) due(now);
  followUp(db, row, due);
  endAlarm(db, row, now, due);
  const run = isAfterwards(row.purpose) ? undefined : runOf(db, row.run);
  if (!run || hasPending(db, run.key)) return { canceled: true, runId: undefined, recorded: [] };
  const recorded = finishRun(db, run.key, CANCELED, now, due);
  return { canceled: true, runId: run.id, recorded };
}
