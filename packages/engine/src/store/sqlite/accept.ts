import type { AppendIntake, Intake, StartIntake } from "../../domain/intake.ts";
import { DEFAULT_RETRIES, type Draft } from "../../domain/message.ts";
import { Problem } from "../../domain/problem.ts";
import { inherit, type Run, reconfigure } from "../../domain/run.ts";
import type { Receipt } from "../store.ts";
import type { Database } from "./database.ts";
import { type RunRow, toBase64, toJson, toLabels, toRun } from "./rows.ts";

/** Tells when something that was stored comes due. */
export type Due = (dueAt: number) => void;

const FIRST_RECORD = "init";

export function accept(db: Database, intakes: readonly Intake[], due: Due): Receipt[] {
  return intakes.map((intake) => acceptOne(db, intake, due));
}

function acceptOne(db: Database, intake: Intake, due: Due): Receipt {
  switch (intake.kind) {
    case "message":
      insertMessage(db, intake.message, due);
      return receipt(intake.message, undefined, false);
    case "start":
      return start(db, intake, due);
    case "append":
      return append(db, intake, due);
  }
}

/** @returns the message's place */
export function insertMessage(
  db: Database,
  draft: Draft,
  due: Due,
  of?: { readonly run: number; readonly entry?: number },
): number {
  const { key } = db.run(
    `INSERT INTO messages (id, purpose, state, due_at, run, entry, url, method, forward, content_type, body,
       max_retries, retry_delay, timeout, not_before, created_at, caller_ip, labels, redact, failure_callback)
     VALUES (?, ?, 'CREATED', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    draft.id,
    draft.purpose,
    draft.notBefore,
    of?.run ?? null,
    of?.entry ?? null,
    draft.url,
    draft.method,
    JSON.stringify(draft.forward),
    draft.contentType ?? null,
    draft.body ?? null,
    draft.retries ?? DEFAULT_RETRIES,
    draft.retryDelay ?? null,
    draft.timeout ?? null,
    draft.notBefore,
    draft.createdAt,
    draft.callerIp,
    toLabels(draft.labels),
    toJson(draft.redact),
    toJson(draft.failureCallback),
  );
  due(draft.notBefore);
  return key;
}

export function liveRun(db: Database, id: string): Run | undefined {
  const row = db.get<RunRow>("SELECT * FROM runs WHERE id = ? AND state = 'RUN_STARTED'", id);
  return row && toRun(row);
}

function start(db: Database, intake: StartIntake, due: Due): Receipt {
  const live = liveRun(db, intake.run.id);
  if (intake.configures) {
    if (!live) throw notLive(db, intake.run.id, "it can't be configured");
    if (live.announced) return configure(db, live, intake, due);
  }
  if (live) {
    const first = db.get<{ message: string }>(
      "SELECT message FROM entries WHERE run = ? AND record = ?",
      live.key,
      FIRST_RECORD,
    );
    return receipt({ id: first?.message ?? "", url: live.url }, live, true);
  }
  const run = insertRun(db, intake);
  const entry = insertEntry(db, run.key, FIRST_RECORD, intake.payload, intake.message);
  insertMessage(db, inherit(intake.message, run.config), due, { run: run.key, entry });
  return receipt(intake.message, run, false);
}

function insertRun(db: Database, { run }: StartIntake): Pick<Run, "key" | "id" | "createdAt" | "config"> {
  // An id and the time of its creation name a run in the logs: a successor is never as old as its predecessor.
  const last = db.get<{ at: number | null }>("SELECT max(created_at) AS at FROM runs WHERE id = ?", run.id);
  const createdAt = Math.max(run.createdAt, (last?.at ?? 0) + 1);
  const { key } = db.run(
    `INSERT INTO runs (id, url, state, created_at, caller_ip, labels, config, announced)
     VALUES (?, ?, 'RUN_STARTED', ?, ?, ?, ?, ?)`,
    run.id,
    run.url,
    createdAt,
    run.callerIp,
    toLabels(run.config.labels),
    JSON.stringify(run.config),
    run.announced ? 1 : 0,
  );
  return { key, id: run.id, createdAt, config: run.config };
}

/** Replaces the delivery that announced the run by one that the endpoint takes for a start. */
function configure(db: Database, live: Run, intake: StartIntake, due: Due): Receipt {
  const config = reconfigure(live.config, intake.run.config);
  db.run(
    "UPDATE runs SET announced = 0, config = ?, labels = ? WHERE key = ?",
    JSON.stringify(config),
    toLabels(config.labels),
    live.key,
  );
  db.run(
    `UPDATE messages SET state = 'DELIVERED', due_at = NULL, forget_at = ?
     WHERE run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL`,
    intake.message.createdAt,
    live.key,
  );
  db.run(
    "UPDATE entries SET message = ? WHERE run = ? AND record = ?",
    intake.message.id,
    live.key,
    FIRST_RECORD,
  );
  const entry = db.get<{ seq: number }>(
    "SELECT seq FROM entries WHERE run = ? AND record = ?",
    live.key,
    FIRST_RECORD,
  ) as { seq: number };
  insertMessage(db, inherit(intake.message, config), due, { run: live.key, entry: entry.seq });
  return receipt(intake.message, live, false);
}

function append(db: Database, intake: AppendIntake, due: Due): Receipt {
  const run = liveRun(db, intake.runId);
  if (!run) throw notLive(db, intake.runId, "nothing can be added to it");
  const known = db.get<{ message: string }>(
    "SELECT message FROM entries WHERE run = ? AND record = ?",
    run.key,
    intake.key,
  );
  // The endpoint says it again when it hasn't heard our answer. What it said first has been scheduled.
  if (known) return receipt({ id: known.message, url: intake.message.url }, run, true);
  const entry = insertEntry(db, run.key, intake.key, intake.body, intake.message);
  insertMessage(db, inherit(intake.message, run.config), due, { run: run.key, entry });
  return receipt(intake.message, run, false);
}

function insertEntry(db: Database, run: number, record: string, body: Uint8Array, message: Draft): number {
  return db.run(
    "INSERT INTO entries (run, record, message, call_type, body, created_at) VALUES (?, ?, ?, 'step', ?, ?)",
    run,
    record,
    message.id,
    toBase64(body),
    message.createdAt,
  ).key;
}

function notLive(db: Database, id: string, consequence: string): Problem {
  const last = db.get<{ state: string }>("SELECT state FROM runs WHERE id = ? ORDER BY key DESC LIMIT 1", id);
  const why = last ? `has ended (${last.state})` : "doesn't exist";
  return new Problem(400, `workflow run ${id} ${why}: ${consequence}`);
}

function receipt(
  message: Pick<Draft, "id" | "url">,
  run: Pick<Run, "id" | "createdAt"> | undefined,
  deduplicated: boolean,
): Receipt {
  return {
    messageId: message.id,
    url: message.url,
    deduplicated,
    run: run && { id: run.id, createdAt: run.createdAt },
  };
}
