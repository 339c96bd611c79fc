import { decodeTraits } from "@perdure/core/protocol";
import { fromBase64, toBytes } from "../../domain/bytes.ts";
import { cancelMessage } from "../../domain/failure.ts";
import { invokeRecord } from "../../domain/invoke.ts";
import type { Draft } from "../../domain/message.ts";
import { isLive, type Run, type RunState } from "../../domain/run.ts";
import type { RecordedStep } from "../store.ts";
import type { Database } from "./database.ts";
import { letGo } from "./flow.ts";
import { history } from "./history.ts";
import { holdReport, markFlights } from "./landing.ts";
import { logStates } from "./log.ts";
import { type Due, entryMessage, insertEntry, insertMessage, runOf } from "./messages.ts";

/** How a run has come to its end. */
export interface Finish {
  readonly state: RunState;
  readonly response: string | undefined;
}

const PENDING =
  "run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL AND purpose NOT IN ('failure', 'rollback', 'cancel')";

/** Ends a live run, withdraws what is pending of it, and records the end in the run that waits for it. */
export function finishRun(db: Database, run: number, end: Finish, now: number, due: Due): RecordedStep[] {
  db.run(
    "UPDATE runs SET state = ?, completed_at = ?, response = ? WHERE key = ?",
    end.state,
    now,
    end.response ?? null,
    run,
  );
  db.tally.add({ of: "run", state: end.state, count: 1 });
  if (end.state !== "RUN_SUCCESS") markFlights(db, run);
  withdraw(db, run, end, now, due);
  db.run("UPDATE waiters SET open = 0 WHERE run = ? AND open = 1", run);
  // A run that failed may be taken up again, and then finds what came too early for it.
  if (end.state !== "RUN_FAILED") {
    db.run("DELETE FROM events WHERE run = ?", run);
    db.run("DELETE FROM webhooks WHERE run = ?", run);
  }
  if (end.state === "RUN_CANCELED") reportCanceled(db, run, now, due);
  return tellInvoker(db, run, end, now, due);
}

/** Whether a run has something to do, or to wait for, other than the message at `except`. */
export function hasPending(db: Database, run: number, except = 0): boolean {
  const found =
    db.get(`SELECT 1 FROM messages WHERE ${PENDING} AND seq <> ? LIMIT 1`, run, except) ??
    db.get("SELECT 1 FROM waiters WHERE run = ? AND open = 1 LIMIT 1", run) ??
    db.get("SELECT 1 FROM runs WHERE parent = ? AND state = 'RUN_STARTED' LIMIT 1", run);
  return found !== undefined;
}

/** Records a step for which the endpoint isn't asked, and has it delivered now. */
export function recordStep(
  db: Database,
  run: Run,
  step: { readonly key: string; readonly json: string; readonly message: Draft },
  now: number,
  due: Due,
): RecordedStep {
  const message = { ...step.message, notBefore: now, createdAt: now };
  insertEntry(db, run, { key: step.key, callType: "step", body: toBytes(step.json) }, message, due);
  const { stepName, stepType } = JSON.parse(step.json) as { stepName: string; stepType: string };
  return { runId: run.id, step: stepName, stepType };
}

function withdraw(db: Database, run: number, end: Finish, now: number, due: Due): void {
  const keys = db.all<{ flow_key: string }>(
    `SELECT DISTINCT flow_key FROM messages WHERE ${PENDING} AND flow_key IS NOT NULL`,
    run,
  );
  const calls = logStates(db, "CANCELLED", now, `${PENDING} AND purpose = 'call'`, run);
  const { changes } = db.run(
    `UPDATE messages SET state = 'CANCELLED', due_at = NULL, parked = NULL, lane = NULL, forget_at = ? WHERE ${PENDING}`,
    // The log of a run that ended badly shows what was withdrawn.
    end.state === "RUN_SUCCESS" ? now : null,
    run,
  );
  db.tally.add({ of: "delivery", state: "CANCELLED", count: changes - calls });
  for (const { flow_key } of keys) if (letGo(db, flow_key)) due(now);
}

/** Where the endpoint has asked to be told. */
export function reportCanceled(db: Database, key: number, now: number, due: Due): void {
  const run = runOf(db, key);
  if (!run?.traits || !decodeTraits(run.traits).onCancel) return;
  const [first] = history(db, key);
  const report = insertMessage(db, cancelMessage(run, fromBase64(first?.body ?? ""), now), due, { run: key });
  holdReport(db, key, report);
}

function tellInvoker(db: Database, child: number, end: Finish, now: number, due: Due): RecordedStep[] {
  const row = db.get<{ parent: number | null }>("SELECT parent FROM runs WHERE key = ?", child);
  const parent = row && runOf(db, row.parent);
  const invoker = runOf(db, child)?.invoker;
  if (!parent || !invoker || !isLive(parent)) return [];
  if (entryMessage(db, parent.key, invoker.key) !== undefined) return [];
  const { key, message } = invoker;
  return [recordStep(db, parent, { key, message, json: invokeRecord(invoker, end) }, now, due)];
}
