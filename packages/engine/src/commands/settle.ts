import { toText } from "../rules/bytes.ts";
import { type CallEnd, toAnswer, toAnswerRecord } from "../rules/call.ts";
import type { Reply } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { LearnedFacts, Settlement } from "../rules/settlement.ts";
import type { Lease, Settled } from "../store/claims.ts";
import { finishMessage } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import { LIVE_MESSAGES, type MessageRow, toMessage } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { fail, keepReply, recordFailure } from "./fail-message.ts";
import { hasPending, reportCanceled } from "./finish-run.ts";
import { releaseWaiting } from "./flow-limits.ts";
import { completeInFlight } from "./in-flight.ts";
import { insertEntry, runOf } from "./messages.ts";
import { onMessageFinished } from "./on-message-finished.ts";
import { recordStep } from "./record-step.ts";
import { reportAttempt } from "./report-attempt.ts";
import { retryLater } from "./retry-later.ts";
import { endAlarm, recordLearned, recordRollback } from "./rollbacks.ts";
import { settleStep } from "./settle-step.ts";

/** The store's settings that a settlement needs. */
export interface SettleSettings {
  /** Bytes of an answer that the record of a failed attempt keeps. */
  readonly excerpt: number;
}

/**
 * Records the outcome of an attempt, with all that follows from it. A final failure ends the run, cancels its other
 * messages, enters the dead letter queue and creates the message that reports it. The end of a call records its answer
 * and creates the message that brings it.
 */
export async function settle(
  tx: Tx,
  lease: Lease,
  settlement: Settlement,
  keeping: SettleSettings,
): Promise<Settled> {
  const run = await lockRunOf(tx, lease);
  const held = await heldBy(tx, lease);
  if (!held) {
    const ended = await completeInFlight(tx, lease);
    if (ended !== undefined) await recordLearnedLate(tx, ended, settlement);
    return { kind: "stale" };
  }
  if (held.run !== null) await recordLearned(tx, held.run, settlement);
  const row = (settlement.capabilities !== undefined && (await heldBy(tx, lease))) || held;
  await reportAttempt(tx, row, settlement);
  const settled =
    run && row.kind === "step"
      ? await settleStep(tx, { row, run: { ...run, ...known(settlement) } }, settlement, keeping.excerpt)
      : await record(tx, row, settlement, keeping);
  if (await releaseWaiting(tx, row.flow_key)) tx.wakeAt(tx.now);
  await onMessageFinished(tx, row);
  return settled;
}

/** Keeps other transactions from the run of a delivery, whose end may be the run's. */
async function lockRunOf(tx: Tx, { messageId }: Lease): Promise<Run | undefined> {
  const run = await tx.one<{ key: number; id: string }>(
    sql`SELECT runs.key, runs.id FROM messages JOIN runs ON runs.key = messages.run WHERE messages.id = ${messageId}`,
  );
  if (!run) return undefined;
  await tx.lock("run", run.id);
  return runOf(tx, run.key);
}

function known({ capabilities }: LearnedFacts): Partial<Run> {
  return capabilities === undefined ? {} : { capabilities };
}

async function heldBy(tx: Tx, { messageId, fence }: Lease): Promise<MessageRow | undefined> {
  return tx.one<MessageRow>(
    sql`${LIVE_MESSAGES} WHERE messages.id = ${messageId} AND due.fence = ${fence} AND due.status = 'delivering'`,
  );
}

/** Its endpoint's first answer came after a run had been cancelled: only now is it known what that wants. */
async function recordLearnedLate(tx: Tx, key: number, learned: LearnedFacts): Promise<void> {
  const run = learned.capabilities === undefined ? undefined : await runOf(tx, key);
  if (!run || run.capabilities !== undefined) return;
  await recordLearned(tx, key, learned);
  if (run.state === "RUN_CANCELED") await reportCanceled(tx, key);
}

/** Records what came of a message that isn't a delivery of a live run's history. */
async function record(
  tx: Tx,
  row: MessageRow,
  settlement: Settlement,
  keeping: SettleSettings,
): Promise<Settled> {
  switch (settlement.kind) {
    case "retry":
      return await retryLater(tx, row, settlement, keeping.excerpt);
    case "failed":
      return await fail(tx, row, settlement.failure, keeping.excerpt);
    case "delivered":
      // The end of a run withdraws its deliveries: one that can be settled is of a live run.
      if (row.kind === "answer" && row.run !== null && !(await hasPending(tx, row.run, row.seq))) {
        return await fail(tx, row, settlement.stalled, keeping.excerpt);
      }
      await deliver(tx, row, settlement.reply);
      return { kind: "recorded" };
    case "called":
      return await answer(tx, row, settlement.end, keeping);
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

/** The end of a call: its answer goes on record, and to the workflow. */
async function answer(tx: Tx, row: MessageRow, end: CallEnd, keeping: SettleSettings): Promise<Settled> {
  if (end.failure) await recordFailure(tx, row, end.failure, keeping.excerpt);
  // Kept for the run's log.
  await finishMessage(tx, row.seq, { outcome: "DELIVERED", deleteAfter: null });
  await logState(tx, row, end.failure ? "FAILED" : "DELIVERED", end.failure ? { attempt: row.retried } : {});
  const run = await runOf(tx, row.run);
  if (!run) return { kind: "recorded" };
  // A call of an inline run has no entry of its own: the engine makes the step's record, as the endpoint would.
  if (row.entry === null) {
    await recordAnswer(tx, row, run, end);
    return { kind: "recorded" };
  }
  const { key, body, message } = toAnswer(toMessage(row), run, end);
  await insertEntry(tx, run, { key, callType: "fromCallback", body }, message);
  return { kind: "recorded" };
}

async function recordAnswer(tx: Tx, row: MessageRow, run: Run, end: CallEnd): Promise<void> {
  const plan = await tx.one<{ body: Uint8Array }>(
    sql`SELECT body FROM entries WHERE run = ${run.key} AND message = ${row.id}`,
  );
  if (!plan) return;
  const { key, json } = toAnswerRecord(JSON.parse(toText(plan.body)), end);
  await recordStep(tx, run, { key, json });
}

async function deliver(tx: Tx, row: MessageRow, reply: Reply): Promise<void> {
  const report = row.kind === "cancel" || (row.kind === "failure" && (await isReported(tx, row.seq)));
  // The answer to a report is part of what it reports.
  await finishMessage(tx, row.seq, { outcome: "DELIVERED", deleteAfter: report ? null : tx.now });
  await logState(tx, row, "DELIVERED");
  if (report) await keepReply(tx, row.seq, reply);
  await endAlarm(tx, row);
}

/** Whether the failure that a message reports is still in the queue, or in its run's log. */
async function isReported(tx: Tx, report: number): Promise<boolean> {
  return (await tx.one(sql`SELECT 1 FROM dlq WHERE callback = ${report}`)) !== undefined;
}
