import { hasPending } from "../queries/pending.ts";
import { toText } from "../rules/bytes.ts";
import { planOfCall, toAnswer } from "../rules/call.ts";
import { type CallEnd, toAnswerRecord } from "../rules/call-record.ts";
import type { InvocationEnd } from "../rules/invocation.ts";
import type { Reply } from "../rules/message.ts";
import { STATUS } from "../rules/message-status.ts";
import type { Run } from "../rules/run.ts";
import type { EndpointFacts, Settlement } from "../rules/settlement.ts";
import type { Lease, Settled } from "../store/claims.ts";
import { finishMessage } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { LIVE_MESSAGES, type MessageRow, toMessage } from "../store/tables/rows.ts";
import { runOf } from "../store/tables/runs.ts";
import { FOR_UPDATE, lockAll, sql, type Tx } from "../store/tx.ts";
import { endAlarm } from "./alarms.ts";
import { failMessage, recordFailure, retryOrFail } from "./failed-attempt.ts";
import { completeInFlight } from "./in-flight.ts";
import { insertEntry } from "./insert-entry.ts";
import { lockWithChildren } from "./insert-inline.ts";
import { onMessageFinished } from "./on-message-finished.ts";
import { recordEndpoint, underPolicy } from "./record-endpoint.ts";
import { recordReply } from "./record-reply.ts";
import { recordRollback } from "./record-rollback.ts";
import { recordStep } from "./record-step.ts";
import { releaseThrottled } from "./release-throttled.ts";
import { reportAttempt } from "./report-attempt.ts";
import { reportCancellation } from "./report-cancellation.ts";
import { endOfHistory } from "./settle-invocation.ts";
import { settleStep } from "./settle-step.ts";

/** The store's settings that a settlement needs. */
export interface SettleSettings {
  /** Bytes of an answer that the record of a failed attempt keeps. */
  readonly excerpt: number;
}

/**
 * Settles a delivery: records the outcome of its attempt, with all that follows from it.
 *
 * 1. Read, under the lock of the run, since the delivery's end may be the run's, and of everything else that the end
 *    changes. A lease that no longer holds settles nothing: at most, a withdrawn delivery has ended.
 * 2. What the answer says about the run's endpoint is recorded. It may change the message's policy.
 * 3. The report of the attempt is stored, if the sender has asked for one.
 * 4. The outcome is recorded: a retry, the end of the message, of a call or of an invocation, a rollback, a failure.
 * 5. Messages that waited for the flow control key, the queue's place or the schedule go on.
 */
export async function settleDelivery(
  tx: Tx,
  lease: Lease,
  settlement: Settlement,
  settings: SettleSettings,
): Promise<Settled> {
  const invocation = invocationIn(settlement);
  if (lease.runId !== undefined) await lockWithChildren(tx, [lease.runId], invocation?.entries ?? []);
  // The end of an invoked run is recorded in its invoker, whose deliveries may have the same key.
  const invoker = lease.flowKey === null ? undefined : lease.invoker;
  await lockAll(tx, { run: [invoker], queue: [lease.queue], flow: [lease.flowKey] });
  const [held, found, end] = await Promise.all([
    heldBy(tx, lease),
    runOf(tx, lease.run),
    lease.run !== null && invocation ? endOfHistory(tx, lease.run, invocation) : undefined,
  ]);
  if (!held) {
    const ended = await completeInFlight(tx, lease);
    if (ended !== undefined) await recordEndpointLate(tx, ended, settlement);
    return { kind: "stale" };
  }
  const run = found && (await recordEndpoint(tx, found, settlement));
  const row = run && run.capabilities !== found.capabilities ? underPolicy(held, run) : held;
  await reportAttempt(tx, row, settlement);
  const settled =
    run && row.kind === "step"
      ? await settleStep(tx, { row, run, end }, settlement, settings.excerpt)
      : await record(tx, row, settlement, settings);
  if (await releaseThrottled(tx, row.flow_key)) tx.wakeAt(tx.now);
  await onMessageFinished(tx, row);
  return settled;
}

/** The end of an invocation, with the records that its answer holds. */
function invocationIn(settlement: Settlement): InvocationEnd | undefined {
  const invocation = "invocation" in settlement ? settlement.invocation : undefined;
  return typeof invocation === "object" ? invocation : undefined;
}

/** The message of a lease, if the lease still holds. Until the transaction ends, no claim ends the lease. */
async function heldBy(tx: Tx, { seq, messageId, fence }: Lease): Promise<MessageRow | undefined> {
  return tx.one<MessageRow>(
    // By the key: with the id alone PostgreSQL reads all of the small table `due`, and tries each delivery in progress. The id
    // tells a new message that has the key of a deleted one.
    sql`${LIVE_MESSAGES} WHERE due.message = ${seq} AND messages.id = ${messageId} AND due.fence = ${fence}
      AND due.status = ${STATUS.delivering} ${FOR_UPDATE}`,
  );
}

/** The first answer of a run's endpoint comes after the end of the run: it may ask for a report of the cancellation. */
async function recordEndpointLate(tx: Tx, key: number, facts: EndpointFacts): Promise<void> {
  const run = facts.capabilities === undefined ? undefined : await runOf(tx, key);
  if (!run || run.capabilities !== undefined) return;
  await recordEndpoint(tx, run, facts);
  if (run.state === "RUN_CANCELED") await reportCancellation(tx, key);
}

/** Records the outcome of a message that isn't a delivery of a live run's history. */
async function record(
  tx: Tx,
  row: MessageRow,
  settlement: Settlement,
  settings: SettleSettings,
): Promise<Settled> {
  switch (settlement.kind) {
    case "retry":
    case "failed":
      return await retryOrFail(tx, row, settlement, settings.excerpt);
    case "delivered":
      // The run is live: its end would have withdrawn the delivery.
      if (row.kind === "answer" && row.run !== null && !(await hasPending(tx, row.run, row.seq))) {
        return await failMessage(tx, row, settlement.stalled, settings.excerpt);
      }
      await deliver(tx, row, settlement.reply);
      return { kind: "recorded" };
    case "called":
      return await endCall(tx, row, settlement.end, settings);
    case "rolledBack":
      await recordRollback(tx, row, settlement.record);
      return { kind: "recorded" };
    case "invocation":
      throw new TypeError(
        `Message ${row.id} is no delivery of a run's history, so no invocation answers it.`,
      );
    default:
      return settlement satisfies never;
  }
}

/** Ends a call: records its answer and stores the delivery that brings the answer to the workflow. */
async function endCall(tx: Tx, row: MessageRow, end: CallEnd, settings: SettleSettings): Promise<Settled> {
  if (end.failure) await recordFailure(tx, row, end.failure, settings.excerpt);
  // The run's log shows the message.
  await finishMessage(tx, row.seq, { outcome: "DELIVERED", deleteAfter: null });
  await logState(tx, row, end.failure ? "FAILED" : "DELIVERED", end.failure ? { attempt: row.retried } : {});
  const run = await runOf(tx, row.run);
  if (!run) return { kind: "recorded" };
  // A call of an inline run has no entry of its own: the engine makes the step's record, as the endpoint would.
  if (row.entry === null) {
    await recordAnswer(tx, row, run, end);
    return { kind: "recorded" };
  }
  const call = toMessage(row);
  const plan = end.recordedByEngine ? planOfCall(call) : undefined;
  if (plan) {
    await recordStep(tx, run, toAnswerRecord(plan, end));
    return { kind: "recorded" };
  }
  const { key, body, message } = toAnswer(call, run, end);
  await insertEntry(tx, run, { key, callType: "fromCallback", body }, message);
  return { kind: "recorded" };
}

async function recordAnswer(tx: Tx, row: MessageRow, run: Run, end: CallEnd): Promise<void> {
  const plan = await tx.one<{ body: Uint8Array }>(
    sql`SELECT body FROM entries WHERE run = ${run.key} AND message = ${row.id}`,
  );
  if (!plan) return;
  await recordStep(tx, run, toAnswerRecord(JSON.parse(toText(plan.body)), end));
}

async function deliver(tx: Tx, row: MessageRow, reply: Reply): Promise<void> {
  const report = row.kind === "cancel" || (row.kind === "failure" && (await isReported(tx, row.seq)));
  // The dead letter, or the run's log, shows the answer to a report.
  await finishMessage(tx, row.seq, { outcome: "DELIVERED", deleteAfter: report ? null : tx.now });
  await logState(tx, row, "DELIVERED");
  if (report) await recordReply(tx, row.seq, reply);
  await endAlarm(tx, row);
}

/** Whether the failure that a message reports is still in the queue, or in its run's log. */
async function isReported(tx: Tx, report: number): Promise<boolean> {
  return (await tx.one(sql`SELECT 1 FROM dlq WHERE callback = ${report}`)) !== undefined;
}
