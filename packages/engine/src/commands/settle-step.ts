import { HEADER } from "@perdure/core/protocol";
import { hasPending } from "../queries/pending.ts";
import { firstValue } from "../rules/header.ts";
import type { MessageKind, Reply } from "../rules/message.ts";
import { type FailedDelivery, isFailed, type Settlement } from "../rules/settlement.ts";
import type { Settled } from "../store/claims.ts";
import { lastEntry } from "../store/tables/entries.ts";
import { sql, type Tx } from "../store/tx.ts";
import { failMessage, retryOrFail } from "./failed-attempt.ts";
import { leaveInline, leaveRun } from "./hold-run.ts";
import { settleFailedInvocation, settleInvocation } from "./settle-invocation.ts";
import { finishDelivery, type StepDelivery } from "./step-delivery.ts";
import { insertDelivery } from "./wake-run.ts";

const STEP: MessageKind = "step";

/**
 * Records the outcome of a delivery of a live run's history:
 *
 * 1. A delivery of an inline run that another delivery holds has no effect: the other one goes on.
 * 2. The answer of an invocation: its records are stored, and the run ends, waits or goes on.
 * 3. A failed attempt: inline, it counts to the step that failed; else, to the delivery.
 * 4. Any other answer: the endpoint has recorded its steps with requests of their own. Each entry of a run that ran inline
 *    before has a delivery again.
 */
export async function settleStep(
  tx: Tx,
  delivery: StepDelivery,
  settlement: Settlement,
  excerpt: number,
): Promise<Settled> {
  const { row, run } = delivery;
  const isHolder = run.holder === row.seq;
  const lost = isFailed(settlement) && settlement.invocation === "lost" && !isHolder;
  if (lost || (run.inline && run.holder !== undefined && !isHolder)) {
    await finishDelivery(tx, row);
    return { kind: "recorded" };
  }
  if (settlement.kind === "invocation") return settleInvocation(tx, delivery, settlement, excerpt);
  if (isFailed(settlement)) return settleFailure(tx, delivery, settlement, excerpt);
  if (settlement.kind !== "delivered")
    throw new TypeError(`The delivery ${row.id} of a run's history can't be settled as ${settlement.kind}.`);
  await leaveRun(tx, run, row.seq, { orderly: true, inline: false });
  if (run.inline) await fallBack(tx, { row, run });
  if (!(await hasPending(tx, run.key, row.seq))) return failMessage(tx, row, settlement.stalled, excerpt);
  await finishDelivery(tx, row);
  return { kind: "recorded" };
}

async function settleFailure(
  tx: Tx,
  delivery: StepDelivery,
  settlement: FailedDelivery,
  excerpt: number,
): Promise<Settled> {
  const { row, run } = delivery;
  const inline = run.inline || typeof settlement.invocation === "object";
  if (inline && settlement.terms) return settleFailedInvocation(tx, delivery, settlement, excerpt);
  await leaveRun(tx, run, row.seq, { orderly: isWorkflows(settlement.failure.reply), inline: run.inline });
  return retryOrFail(tx, row, settlement, excerpt);
}

/** Whether an answer is the workflow's own, and so says that no step is under way. */
function isWorkflows(reply: Reply | undefined): boolean {
  return reply !== undefined && firstValue(reply.headers, HEADER.sdkVersion) !== undefined;
}

/** Stores the deliveries of the entries that came since this delivery began: the endpoint no longer runs the run inline. */
async function fallBack(tx: Tx, { row, run }: StepDelivery): Promise<void> {
  await leaveInline(tx, run);
  const last = await lastEntry(tx, run.key);
  const delivered = await tx.one(
    sql`SELECT 1 FROM due WHERE run = ${run.key} AND kind = ${STEP} AND message <> ${row.seq} LIMIT 1`,
  );
  if (last && last.seq !== row.entry && !delivered) await insertDelivery(tx, run, tx.now);
}
