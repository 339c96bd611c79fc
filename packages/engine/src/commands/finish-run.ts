import { PENDING } from "../queries/pending.ts";
import { toBytes } from "../rules/bytes.ts";
import { excerptOf } from "../rules/event.ts";
import { invokeRecord } from "../rules/invoke.ts";
import type { Failure, MessageKind } from "../rules/message.ts";
import { type Invoker, isLive, type Run, type RunEnd } from "../rules/run.ts";
import { setOutcome } from "../store/tables/due.ts";
import { logStates } from "../store/tables/logs.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { runOf } from "../store/tables/runs.ts";
import { lockAll, sql, type Tx } from "../store/tx.ts";
import { endLease } from "./hold-run.ts";
import { markInFlight } from "./in-flight.ts";
import { moveToDeadLetters } from "./move-to-dead-letters.ts";
import { recordStep } from "./record-step.ts";
import { releaseThrottled } from "./release-throttled.ts";
import { reportCancellation } from "./report-cancellation.ts";

/** The end of a run. */
export type RunOutcome = RunEnd | RunFailure;

export interface RunFailure {
  readonly state: "RUN_FAILED";
  readonly response?: undefined;
  readonly failure: Failure;
  /** The delivery that failed. */
  readonly message: MessageRow;
}

/** The end of a cancelled run. */
export const CANCELED: RunEnd = { state: "RUN_CANCELED", response: undefined };

/**
 * Ends a live run, with the workflow's result, by a cancellation, a failure or its time limit. All that follows from the
 * end is part of the caller's transaction:
 *
 * 1. The run has its final state, its result and the time of its end. The transaction records the event of a result and
 *    of a cancellation. The event of a failure comes with the attempt, or the time limit, that caused it.
 * 2. The run's pending deliveries and calls are withdrawn. An attempt in progress at a step that may have to be rolled back
 *    keeps its lease until it ends.
 * 3. The run's waits end.
 * 4. Events that came too early, and webhooks, are deleted. A failed run keeps them for the run that resumes it.
 * 5. The end is recorded as the result of the step that invoked the run.
 * 6. A cancelled run: a report goes to the endpoint, if the endpoint has asked for it.
 *    A failed run: its dead letter is stored, and the report that calls the failure function and asks for the rollbacks.
 *    The report waits for the attempts of 2.
 *
 * The caller has the run's lock.
 *
 * @returns the dead letter's id, for a run that failed
 */
export async function finishRun(tx: Tx, run: Run, end: RunOutcome): Promise<string | undefined> {
  // Before the locks of flow control keys. A run is locked before the run that invoked it.
  if (run.invoker) await tx.lock("run", run.invoker.runId);
  await setState(tx, run, end);
  const left = await leftOf(tx, run.key);
  if (left.deliveries) await withdrawDeliveries(tx, run.key, end);
  if (left.waits) tx.send(sql`UPDATE waiters SET open = 0 WHERE run = ${run.key} AND ${PENDING.wait}`);
  if (end.state !== "RUN_FAILED") {
    if (left.events) tx.send(sql`DELETE FROM events WHERE run = ${run.key}`);
    if (left.webhooks) tx.send(sql`DELETE FROM webhooks WHERE run = ${run.key}`);
  }
  await recordInInvoker(tx, run, end);
  switch (end.state) {
    case "RUN_SUCCESS":
      return undefined;
    case "RUN_CANCELED":
      await reportCancellation(tx, run.key);
      return undefined;
    case "RUN_FAILED":
      return moveToDeadLetters(tx, end.message, end.failure, run);
  }
}

async function setState(tx: Tx, { key, id, createdAt }: Run, { state, response }: RunOutcome): Promise<void> {
  tx.send(
    sql`UPDATE runs SET state = ${state}, completed_at = ${tx.now}, response = ${response ?? null}
      WHERE key = ${key}`,
  );
  await endLease(tx, key, state);
  tx.count({ of: "run", state, count: 1 });
  if (state === "RUN_CANCELED") tx.record({ type: "run.canceled", runId: id, ms: tx.now - createdAt });
  if (state === "RUN_SUCCESS") recordCompletion(tx, { id, createdAt }, response);
}

/** Tells the engine's observers of a workflow's result. */
export function recordCompletion(
  tx: Pick<Tx, "now" | "record">,
  { id, createdAt }: Pick<Run, "id" | "createdAt">,
  response: string | undefined,
): void {
  tx.record({ type: "run.completed", runId: id, ms: tx.now - createdAt, result: excerptOf(response) });
}

/** Whether a run has rows of these kinds, 0 or 1. Most runs end with none. */
interface Left {
  readonly deliveries: number;
  readonly waits: number;
  readonly events: number;
  readonly webhooks: number;
}

async function leftOf(tx: Tx, run: number): Promise<Left> {
  return (await tx.one<Left>(
    sql`SELECT CAST(EXISTS (SELECT 1 FROM due WHERE run = ${run} AND ${PENDING.delivery}) AS integer) AS deliveries,
      CAST(EXISTS (SELECT 1 FROM waiters WHERE run = ${run} AND ${PENDING.wait}) AS integer) AS waits,
      CAST(EXISTS (SELECT 1 FROM events WHERE run = ${run}) AS integer) AS events,
      CAST(EXISTS (SELECT 1 FROM webhooks WHERE run = ${run}) AS integer) AS webhooks`,
  )) as Left;
}

/** Calls are logged one by one; the run's log shows its other deliveries. */
const CALL: MessageKind = "call";

async function withdrawDeliveries(tx: Tx, run: number, end: RunOutcome): Promise<void> {
  const ofRun = sql`run = ${run} AND ${PENDING.delivery}`;
  const keys = await tx.all<{ flow_key: string | null }>(
    sql`SELECT DISTINCT flow_key FROM due WHERE ${ofRun}`,
  );
  // Before the rows of `due` that this deletes: a message's end, which has the key's lock, may change them.
  await lockAll(tx, { flow: keys.map(({ flow_key }) => flow_key) });
  const calls = await logStates(tx, "CANCELLED", sql`${ofRun} AND kind = ${CALL}`);
  // The log of a run that failed or was cancelled shows its withdrawn messages.
  const deleteAfter = end.state === "RUN_SUCCESS" ? tx.now : null;
  const count = await setOutcome(tx, ofRun, { outcome: "CANCELLED", deleteAfter });
  if (end.state !== "RUN_SUCCESS") await markInFlight(tx, run);
  tx.send(sql`DELETE FROM due WHERE ${ofRun}`);
  tx.count({ of: "delivery", state: "CANCELLED", count: count - calls });
  for (const { flow_key } of keys) if (await releaseThrottled(tx, flow_key)) tx.wakeAt(tx.now);
}

async function recordInInvoker(
  tx: Tx,
  { key: child, invoker, createdAt }: Run,
  end: RunOutcome,
): Promise<void> {
  if (!invoker) return;
  const parent = await lockInvoker(tx, child, invoker);
  if (!parent || !isLive(parent)) return;
  const { key, message, step } = invoker;
  const record = invokeRecord(invoker, { state: end.state, response: end.response });
  await recordStep(tx, parent, { key, message, step, body: toBytes(record), waitingSince: createdAt });
}

/** The run to which the end of a child goes: the one that invoked it, or the one that has resumed that. */
async function lockInvoker(tx: Tx, child: number, invoker: Invoker): Promise<Run | undefined> {
  const row = await tx.one<{ parent: number | null }>(sql`SELECT parent FROM runs WHERE key = ${child}`);
  const parent = row && (await runOf(tx, row.parent));
  if (!parent || parent.id === invoker.runId) return parent;
  await tx.lock("run", parent.id);
  return runOf(tx, parent.key);
}
