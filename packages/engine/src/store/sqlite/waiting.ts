import { isPlan, type StepRecord } from "@perdure/core/protocol";
import { isLive, type Run } from "../../domain/run.ts";
import { type WaitIntake, waitRecord } from "../../domain/wait.ts";
import type {
  KeptLimits,
  Notice,
  Notified,
  RecordedStep,
  Waiting,
  WaitReceipt,
  WebhookState,
} from "../store.ts";
import type { Database } from "./database.ts";
import { recordStep } from "./finish.ts";
import { type Due, entryMessage, liveRun, runOf } from "./messages.ts";
import { notLive } from "./runs.ts";

interface WaiterRow {
  readonly seq: number;
  readonly run: number;
  readonly wait: string;
}

/** Waits that are ended in one go. */
const MOST = 1000;

export function wait(db: Database, intake: WaitIntake, now: number, due: Due): WaitReceipt {
  const run = liveRun(db, intake.runId);
  if (!run) throw notLive(db, intake.runId, "it can't wait for anything");
  const known = entryMessage(db, run.key, intake.key) ?? waiterMessage(db, run.key, intake.key);
  if (known !== undefined) return { messageId: known, deduplicated: true, recorded: [] };
  const early = db.get<{ seq: number; data: Uint8Array }>(
    "SELECT seq, data FROM events WHERE run = ? AND event = ? ORDER BY seq LIMIT 1",
    run.key,
    intake.eventId,
  );
  db.run(
    `INSERT INTO waiters (run, event, record, open, deadline, wait, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    run.key,
    intake.eventId,
    intake.key,
    early ? 0 : 1,
    intake.deadline,
    JSON.stringify(intake),
    now,
  );
  const { id: messageId } = intake.message;
  if (!early) {
    due(intake.deadline);
    return { messageId, deduplicated: false, recorded: [] };
  }
  db.run("DELETE FROM events WHERE seq = ?", early.seq);
  return { messageId, deduplicated: false, recorded: [record(db, run, intake, early.data, now, due)] };
}

export function notify(db: Database, notice: Notice, now: number, due: Due): Notified {
  if (notice.runId === undefined) {
    const rows = db.all<WaiterRow>(
      "SELECT seq, run, wait FROM waiters WHERE event = ? AND open = 1 ORDER BY seq",
      notice.eventId,
    );
    return tell(db, rows, notice, now, due);
  }
  const run = reachableRun(db, notice.runId);
  if (!run) return { kind: "not live" };
  if (notice.webhook && !hasWebhook(db, run.key, notice.eventId)) return { kind: "no webhook" };
  const rows = nextWaiter(db, run.key, notice.eventId);
  if (rows.length > 0) return tell(db, rows, notice, now, due);
  if (
    notice.webhook &&
    !hasRoom(db, { run: run.key, eventId: notice.eventId }, notice.webhook, notice.data.length)
  )
    return { kind: "full" };
  db.run(
    "INSERT INTO events (run, event, data, created_at) VALUES (?, ?, ?, ?)",
    run.key,
    notice.eventId,
    notice.data,
    now,
  );
  return { kind: "told", waiters: [], recorded: [] };
}

/** Whether a webhook takes one more request, as far as that can be told without its body. */
export function webhookState(db: Database, runId: string, eventId: string, most: KeptLimits): WebhookState {
  const run = reachableRun(db, runId);
  if (!run || !hasWebhook(db, run.key, eventId)) return "none";
  if (nextWaiter(db, run.key, eventId).length > 0) return "open";
  return hasRoom(db, { run: run.key, eventId }, most, 1) ? "open" : "full";
}

function nextWaiter(db: Database, run: number, eventId: string): WaiterRow[] {
  return db.all<WaiterRow>(
    "SELECT seq, run, wait FROM waiters WHERE run = ? AND event = ? AND open = 1 ORDER BY seq LIMIT 1",
    run,
    eventId,
  );
}

function hasRoom(
  db: Database,
  webhook: { readonly run: number; readonly eventId: string },
  most: KeptLimits,
  bytes: number,
): boolean {
  const kept = db.get<KeptLimits>(
    "SELECT COUNT(*) AS hits, COALESCE(SUM(LENGTH(data)), 0) AS bytes FROM events WHERE run = ? AND event = ?",
    webhook.run,
    webhook.eventId,
  );
  return kept !== undefined && kept.hits < most.hits && kept.bytes + bytes <= most.bytes;
}

/** Records the waits that are over. */
export function expire(db: Database, now: number, due: Due): RecordedStep[] {
  const rows = db.all<WaiterRow>(
    "SELECT seq, run, wait FROM waiters WHERE open = 1 AND deadline <= ? ORDER BY deadline, seq LIMIT ?",
    now,
    MOST,
  );
  return rows.flatMap((row) => {
    const run = close(db, row);
    if (!run) return [];
    const intake = toWaitIntake(row);
    const late = { ...intake, message: { ...intake.message, url: intake.timeoutUrl } };
    return [record(db, run, late, undefined, now, due)];
  });
}

/** When the next wait is over. */
export function nextDeadline(db: Database): number | undefined {
  return db.get<{ deadline: number }>("SELECT deadline FROM waiters WHERE open = 1 ORDER BY deadline LIMIT 1")
    ?.deadline;
}

export function waiters(db: Database, eventId: string): Waiting[] {
  const rows = db.all<WaiterRow>(
    "SELECT seq, run, wait FROM waiters WHERE event = ? AND open = 1 ORDER BY seq",
    eventId,
  );
  return rows.flatMap((row) => {
    const run = runOf(db, row.run);
    return run ? [{ run, wait: toWaitIntake(row) }] : [];
  });
}

/** A step that made a webhook: from now on its address is open. */
export function addWebhook(db: Database, run: number, step: StepRecord): void {
  if (step.stepType !== "CreateWebhook" || isPlan(step) || step.out === undefined) return;
  let eventId: unknown;
  try {
    ({ eventId } = JSON.parse(step.out) as { eventId?: unknown });
  } catch {
    return; // Not a webhook that anybody could have the address of.
  }
  if (typeof eventId !== "string") return;
  db.run("INSERT OR IGNORE INTO webhooks (run, event) VALUES (?, ?)", run, eventId);
}

/** A live run: the one of this id, or the one that goes on from where that one failed. */
function reachableRun(db: Database, id: string): Run | undefined {
  const live = liveRun(db, id);
  if (live) return live;
  let key = db.get<{ successor: number | null }>(
    "SELECT successor FROM runs WHERE id = ? ORDER BY key DESC LIMIT 1",
    id,
  )?.successor;
  while (key) {
    const run = runOf(db, key);
    if (run && isLive(run)) return run;
    key = db.get<{ successor: number | null }>("SELECT successor FROM runs WHERE key = ?", key)?.successor;
  }
  return undefined;
}

function hasWebhook(db: Database, run: number, eventId: string): boolean {
  return db.get("SELECT 1 FROM webhooks WHERE run = ? AND event = ?", run, eventId) !== undefined;
}

function tell(db: Database, rows: readonly WaiterRow[], { data }: Notice, now: number, due: Due): Notified {
  const told: Waiting[] = [];
  const recorded: RecordedStep[] = [];
  for (const row of rows) {
    const run = close(db, row);
    if (!run) continue;
    const intake = toWaitIntake(row);
    told.push({ run, wait: intake });
    recorded.push(record(db, run, intake, data, now, due));
  }
  return { kind: "told", waiters: told, recorded };
}

/** @returns the run, unless it is over */
function close(db: Database, { seq, run: key }: WaiterRow): Run | undefined {
  db.run("UPDATE waiters SET open = 0 WHERE seq = ?", seq);
  const run = runOf(db, key);
  return run && isLive(run) ? run : undefined;
}

function record(
  db: Database,
  run: Run,
  intake: WaitIntake,
  data: Uint8Array | undefined,
  now: number,
  due: Due,
): RecordedStep {
  const { key, message } = intake;
  const recorded = recordStep(db, run, { key, message, json: waitRecord(intake, data) }, now, due);
  return data === undefined ? { ...recorded, timedOut: true } : recorded;
}

function waiterMessage(db: Database, run: number, key: string): string | undefined {
  const row = db.get<WaiterRow>(
    "SELECT seq, run, wait FROM waiters WHERE run = ? AND record = ? AND open = 1",
    run,
    key,
  );
  return row && toWaitIntake(row).message.id;
}

function toWaitIntake({ wait }: WaiterRow): WaitIntake {
  return JSON.parse(wait) as WaitIntake;
}
