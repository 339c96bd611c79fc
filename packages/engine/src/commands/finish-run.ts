import { decodeCapabilities } from "@perdure/core/protocol";
import { fromBase64, toBytes } from "../rules/bytes.ts";
import { cancelMessage } from "../rules/failure.ts";
import { invokeRecord } from "../rules/invoke.ts";
import type { Draft } from "../rules/message.ts";
import { isLive, type Run, type RunState } from "../rules/run.ts";
import type { RecordedStep } from "../store/store.ts";
import { AFTERWARDS, noteOutcome } from "../store/tables/due.ts";
import { history } from "../store/tables/entries.ts";
import { logStates } from "../store/tables/logs.ts";
import { type Sql, sql, type Tx } from "../store/tx.ts";
import { letGo } from "./flow-limits.ts";
import { holdReport, markFlights } from "./in-flight.ts";
import { entryMessage, insertEntry, insertMessage, runOf } from "./messages.ts";

/** How a run has come to its end. */
export interface Finish {
  readonly state: RunState;
  readonly response: string | undefined;
}

/** What is to be done for a run itself. */
const pending = (run: number): Sql => sql`run = ${run} AND status <> 'withdrawn' AND NOT ${AFTERWARDS}`;

/** Ends a live run, withdraws what is pending of it, and records the end in the run that waits for it. */
export async function finishRun(tx: Tx, run: number, end: Finish, now: number): Promise<RecordedStep[]> {
  await tx.run(
    sql`UPDATE runs SET state = ${end.state}, completed_at = ${now}, response = ${end.response ?? null} WHERE key = ${run}`,
  );
  tx.count({ of: "run", state: end.state, count: 1 });
  await withdraw(tx, run, end, now);
  await tx.run(sql`UPDATE waiters SET open = 0 WHERE run = ${run} AND open = 1`);
  // A run that failed may be taken up again, and then finds what came too early for it.
  if (end.state !== "RUN_FAILED") {
    await tx.run(sql`DELETE FROM events WHERE run = ${run}`);
    await tx.run(sql`DELETE FROM webhooks WHERE run = ${run}`);
  }
  if (end.state === "RUN_CANCELED") await reportCanceled(tx, run, now);
  return await tellInvoker(tx, run, end, now);
}

/** Whether a run has something to do, or to wait for, other than the message at `except`. */
export async function hasPending(tx: Tx, run: number, except = 0): Promise<boolean> {
  const found =
    (await tx.one(sql`SELECT 1 FROM due WHERE ${pending(run)} AND message <> ${except} LIMIT 1`)) ??
    (await tx.one(sql`SELECT 1 FROM waiters WHERE run = ${run} AND open = 1 LIMIT 1`)) ??
    (await tx.one(sql`SELECT 1 FROM runs WHERE parent = ${run} AND state = 'RUN_STARTED' LIMIT 1`));
  return found !== undefined;
}

/** Records a step for which the endpoint isn't asked, and has it delivered now. */
export async function recordStep(
  tx: Tx,
  run: Run,
  step: { readonly key: string; readonly json: string; readonly message: Draft },
  now: number,
): Promise<RecordedStep> {
  const message = { ...step.message, notBefore: now, createdAt: now };
  await insertEntry(tx, run, { key: step.key, callType: "step", body: toBytes(step.json) }, message);
  const { stepName, stepType } = JSON.parse(step.json) as { stepName: string; stepType: string };
  return { runId: run.id, step: stepName, stepType };
}

async function withdraw(tx: Tx, run: number, end: Finish, now: number): Promise<void> {
  const ofRun = pending(run);
  const keys = await tx.all<{ flow_key: string }>(
    sql`SELECT DISTINCT flow_key FROM due WHERE ${ofRun} AND flow_key IS NOT NULL`,
  );
  const calls = await logStates(tx, "CANCELLED", now, sql`${ofRun} AND kind = 'call'`);
  // The log of a run that ended badly shows what was withdrawn.
  const deleteAfter = end.state === "RUN_SUCCESS" ? now : null;
  const count = await noteOutcome(tx, ofRun, { outcome: "CANCELLED", deleteAfter });
  if (end.state !== "RUN_SUCCESS") await markFlights(tx, run);
  await tx.run(sql`DELETE FROM due WHERE ${ofRun}`);
  tx.count({ of: "delivery", state: "CANCELLED", count: count - calls });
  for (const { flow_key } of keys) if (await letGo(tx, flow_key)) tx.wakeAt(now);
}

/** Where the endpoint has asked to be told. */
export async function reportCanceled(tx: Tx, key: number, now: number): Promise<void> {
  const run = await runOf(tx, key);
  if (!run?.traits || !decodeCapabilities(run.traits).onCancel) return;
  const [first] = await history(tx, key);
  const report = await insertMessage(tx, cancelMessage(run, fromBase64(first?.body ?? ""), now), {
    run: key,
  });
  await holdReport(tx, key, report);
}

async function tellInvoker(tx: Tx, child: number, end: Finish, now: number): Promise<RecordedStep[]> {
  const row = await tx.one<{ parent: number | null }>(sql`SELECT parent FROM runs WHERE key = ${child}`);
  const parent = row && (await runOf(tx, row.parent));
  const invoker = (await runOf(tx, child))?.invoker;
  if (!parent || !invoker || !isLive(parent)) return [];
  if ((await entryMessage(tx, parent.key, invoker.key)) !== undefined) return [];
  const { key, message } = invoker;
  return [await recordStep(tx, parent, { key, message, json: invokeRecord(invoker, end) }, now)];
}
