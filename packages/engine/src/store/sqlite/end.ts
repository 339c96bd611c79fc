import type { CanceledMessage, EndedRun, RunEnd } from "../store.ts";
import { liveRun } from "./accept.ts";
import type { Database } from "./database.ts";
import { type MessageRow, type RunRow, toRun } from "./rows.ts";
import { finishRun, hasPending } from "./settle.ts";

export function endRun(db: Database, id: string, end: RunEnd, now: number): EndedRun {
  const live = liveRun(db, id);
  if (live) {
    finishRun(db, live.key, end, now);
    return { kind: "ended", run: live };
  }
  const last = db.get<RunRow>("SELECT * FROM runs WHERE id = ? ORDER BY key DESC LIMIT 1", id);
  return last ? { kind: "ended before", run: toRun(last) } : { kind: "unknown", run: undefined };
}

export function cancelMessage(db: Database, id: string, now: number): CanceledMessage {
  const row = db.get<MessageRow>("SELECT * FROM messages WHERE id = ? AND due_at IS NOT NULL", id);
  if (!row) return { canceled: false, runId: undefined };
  // A run's are kept for its log.
  const forgetAt = row.run === null ? now : null;
  db.run(
    "UPDATE messages SET state = 'CANCELLED', due_at = NULL, forget_at = ? WHERE seq = ?",
    forgetAt,
    row.seq,
  );
  if (row.run === null || row.purpose !== "step" || hasPending(db, row.run)) {
    return { canceled: true, runId: undefined };
  }
  finishRun(db, row.run, { state: "RUN_CANCELED", response: undefined }, now);
  const run = db.get<{ id: string }>("SELECT id FROM runs WHERE key = ?", row.run);
  return { canceled: true, runId: run?.id };
}

export function forget(db: Database, now: number): void {
  db.run("DELETE FROM failures WHERE message IN (SELECT seq FROM messages WHERE forget_at <= ?)", now);
  db.run("DELETE FROM messages WHERE forget_at <= ?", now);
}
