import { decodeCapabilities } from "@perdure/core/protocol";
import { fromBase64 } from "../rules/bytes.ts";
import { excerptOf } from "../rules/event.ts";
import { cancelMessage } from "../rules/failure.ts";
import { invokeRecord } from "../rules/invoke.ts";
import type { Failure } from "../rules/message.ts";
import type { RunEnd } from "../rules/run.ts";
import { isLive, type Run } from "../rules/run.ts";
import { IS_POST_RUN, noteOutcome } from "../store/tables/due.ts";
import { history } from "../store/tables/entries.ts";
import { logStates } from "../store/tables/logs.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { type Sql, sql, type Tx } from "../store/tx.ts";
import { releaseWaiting } from "./flow-limits.ts";
import { deferReport, markInFlight } from "./in-flight.ts";
import { entryMessage, insertMessage, runOf } from "./messages.ts";
import { moveToDeadLetters } from "./move-to-dead-letters.ts";
import { recordStep } from "./record-step.ts";

/** How a run ends. */
export type RunOutcome = RunEnd | RunFailure;

export interface RunFailure {
  readonly state: "RUN_FAILED";
  readonly response?: undefined;
  readonly failure: Failure;
  /** The delivery that failed. */
  readonly message: MessageRow;
}

/** A condition on `due`: what is to be delivered for a live run. */
const pending = (run: number): Sql => sql`run = ${run} AND status <> 'withdrawn' AND NOT ${IS_POST_RUN}`;

/**
 * Ends a live run. Every end comes here: the workflow's result, a cancellation, a failure, a time limit. The caller's
 * transaction then holds all that follows from it:
 *
 * 1. The run has its final state, its result and the time of its end. Observers hear of a result and of a cancellation;
 *    of a failure they hear with the attempt, or the time limit, that caused it.
 * 2. The run's pending deliveries and calls are withdrawn. An attempt that is under way, at a step that may have to be
 *    rolled back, keeps its lease until it has ended.
 * 3. The run's waits are closed.
 * 4. Events that came too early, and webhooks, are deleted. A failed run keeps them: a resumed run takes them over.
 * 5. The run that invoked it gets the end as the result of its step.
 * 6. A cancelled run: the endpoint is told, if it has asked for that.
 *    A failed run: its dead letter is stored, and the report that calls the failure function and asks for the rollbacks.
 *    The report waits for the attempts of 2.
 *
 * @returns the dead letter's id, for a run that failed
 */
export async function finishRun(tx: Tx, run: Run, end: RunOutcome): Promise<string | undefined> {
  await setState(tx, run, end);
  await withdrawPending(tx, run.key, end);
  await tx.run(sql`UPDATE waiters SET open = 0 WHERE run = ${run.key} AND open = 1`);
  if (end.state !== "RUN_FAILED") await deleteEarlyEvents(tx, run.key);
  await notifyInvoker(tx, run, end);
  switch (end.state) {
    case "RUN_SUCCESS":
      return undefined;
    case "RUN_CANCELED":
      await reportCanceled(tx, run.key);
      return undefined;
    case "RUN_FAILED":
      return moveToDeadLetters(tx, end.message, end.failure, run);
  }
}

async function setState(tx: Tx, { key, id, createdAt }: Run, { state, response }: RunOutcome): Promise<void> {
  await tx.run(
    sql`UPDATE runs SET state = ${state}, completed_at = ${tx.now}, response = ${response ?? null}, holder = NULL
      WHERE key = ${key}`,
  );
  tx.count({ of: "run", state, count: 1 });
  if (state === "RUN_CANCELED") tx.record({ type: "run.canceled", runId: id });
  if (state === "RUN_SUCCESS") {
    tx.record({ type: "run.completed", runId: id, ms: tx.now - createdAt, result: excerptOf(response) });
  }
}

async function deleteEarlyEvents(tx: Tx, run: number): Promise<void> {
  await tx.run(sql`DELETE FROM events WHERE run = ${run}`);
  await tx.run(sql`DELETE FROM webhooks WHERE run = ${run}`);
}

/** Whether a run has something to do, or to wait for, other than the message at `except`. */
export async function hasPending(tx: Tx, run: number, except = 0): Promise<boolean> {
  const found =
    (await tx.one(sql`SELECT 1 FROM due WHERE ${pending(run)} AND message <> ${except} LIMIT 1`)) ??
    (await tx.one(sql`SELECT 1 FROM waiters WHERE run = ${run} AND open = 1 LIMIT 1`)) ??
    (await tx.one(sql`SELECT 1 FROM runs WHERE parent = ${run} AND state = 'RUN_STARTED' LIMIT 1`));
  return found !== undefined;
}

async function withdrawPending(tx: Tx, run: number, end: RunOutcome): Promise<void> {
  const ofRun = pending(run);
  const keys = await tx.all<{ flow_key: string }>(
    sql`SELECT DISTINCT flow_key FROM due WHERE ${ofRun} AND flow_key IS NOT NULL`,
  );
  const calls = await logStates(tx, "CANCELLED", sql`${ofRun} AND kind = 'call'`);
  // The log of a run that ended badly shows what was withdrawn.
  const deleteAfter = end.state === "RUN_SUCCESS" ? tx.now : null;
  const count = await noteOutcome(tx, ofRun, { outcome: "CANCELLED", deleteAfter });
  if (end.state !== "RUN_SUCCESS") await markInFlight(tx, run);
  await tx.run(sql`DELETE FROM due WHERE ${ofRun}`);
  tx.count({ of: "delivery", state: "CANCELLED", count: count - calls });
  for (const { flow_key } of keys) if (await releaseWaiting(tx, flow_key)) tx.wakeAt(tx.now);
}

/** Stores the report of a run's cancellation, if the endpoint has asked for one. */
export async function reportCanceled(tx: Tx, key: number): Promise<void> {
  const run = await runOf(tx, key);
  if (!run?.capabilities || !decodeCapabilities(run.capabilities).onCancel) return;
  const [first] = await history(tx, key);
  const report = await insertMessage(tx, cancelMessage(run, fromBase64(first?.body ?? ""), tx.now), {
    run: key,
  });
  await deferReport(tx, key, report);
}

async function notifyInvoker(tx: Tx, { key: child, invoker }: Run, end: RunOutcome): Promise<void> {
  if (!invoker) return;
  const row = await tx.one<{ parent: number | null }>(sql`SELECT parent FROM runs WHERE key = ${child}`);
  const parent = row && (await runOf(tx, row.parent));
  if (!parent || !isLive(parent)) return;
  if ((await entryMessage(tx, parent.key, invoker.key)) !== undefined) return;
  const { key, message } = invoker;
  const json = invokeRecord(invoker, { state: end.state, response: end.response });
  await recordStep(tx, parent, { key, message, json });
}
