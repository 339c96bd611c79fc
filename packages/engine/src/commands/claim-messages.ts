import { earliest, nextTimes } from "../queries/next-times.ts";
import { isRollingBack, rollbacksOf, startedSteps } from "../queries/rollbacks.ts";
import { stepsUnderWay } from "../queries/steps-under-way.ts";
import { isPostRun } from "../rules/message.ts";
import { STATUS, transition } from "../rules/message-status.ts";
import type { Run } from "../rules/run.ts";
import type { ClaimOrder } from "../store/claim-order.ts";
import type { Claim, Claims } from "../store/claims.ts";
import * as inOrder from "../store/in-order.ts";
import { type ClaimedEntries, claimedEntries, history, lastEntry } from "../store/tables/entries.ts";
import { logState } from "../store/tables/logs.ts";
import { isQueuePaused } from "../store/tables/queues.ts";
import { CLAIMABLE_MESSAGES, type ClaimableRow, type MessageRow, toMessage } from "../store/tables/rows.ts";
import { runOf } from "../store/tables/runs.ts";
import { SKIP_LOCKED, sql, type Tx } from "../store/tx.ts";
import { admitByFlow, isFlowPaused } from "./admit-by-flow.ts";
import { Locks } from "./claim-locks.ts";
import { deferMessage, deferredDestinations, hasDeferred, releaseDeferred } from "./defer-message.ts";
import { enqueueMessage } from "./enqueue-message.ts";
import { expireRuns } from "./expire-runs.ts";
import { expireWaits } from "./expire-waits.ts";
import { type Offer, offerLease } from "./hold-run.ts";
import { makeScheduledMessages } from "./make-scheduled-messages.ts";
import { queueOfPlace } from "./queue-places.ts";
import { releaseDueFlows, releaseThrottled } from "./release-throttled.ts";
import { finishDelivery } from "./step-delivery.ts";
import { throttleMessage } from "./throttle-message.ts";

/** Rounds of holding messages back. The next claim takes what the last round leaves. */
const MAX_ROUNDS = 8;

/**
 * Gives out messages that are due, under leases:
 *
 * 1. What has come due by itself becomes messages: schedules, runs over their time limit, waits that time out, flow
 *    control keys whose next period has begun.
 * 2. Messages that waited for destinations which have room again become due.
 * 3. The messages that are due are taken in the order of their times. A message that its queue, its flow control key or
 *    its destination doesn't admit is held back, and the next round takes others in its place.
 * 4. A claim that finds nothing looks for messages that another engine has held back: this one may have room for them.
 *
 * A claim waits for no lock, so that no two engines wait for each other: it passes over messages that another transaction
 * is at, and says so.
 */
export async function claimMessages(tx: Tx, order: ClaimOrder): Promise<Claims> {
  const { limit, destinations, owner = "" } = order;
  const pass = new Locks(tx);
  await makeDue(tx, pass);
  if (destinations) await releaseDeferred(tx, destinations, limit);
  const seen = new Set(destinations?.open.keys());
  const claims: Claim[] = [];
  let ranOut = false;
  for (let round = 0; round < MAX_ROUNDS && claims.length < limit; round++) {
    const wanted = limit - claims.length;
    const due = await tx.all<ClaimableRow>(
      sql`${CLAIMABLE_MESSAGES} WHERE due.at <= ${tx.now} ORDER BY due.at, due.message LIMIT ${wanted} ${SKIP_LOCKED}`,
    );
    const locked = await inOrder.mapSideBySide(due, (message) => pass.take("run", message.run_id));
    const free = due.filter((_, at) => locked[at]);
    const admitted: ClaimableRow[] = [];
    for (const message of free) {
      if (!(await admits(tx, message, pass))) continue;
      const admission = destinations?.admit({ url: message.url, kind: message.kind });
      if (admission?.kind === "full") {
        await deferMessage(tx, message.seq, { destination: admission.destination, owner });
        seen.add(admission.destination);
      } else if (message.flow_key === null) admitted.push(message);
      // Its key counts it before it admits another one.
      else
        claims.push(...(await takeAll(tx, admitted.splice(0), order)), ...(await take(tx, message, order)));
    }
    claims.push(...(await takeAll(tx, admitted, order)));
    ranOut = due.length < wanted;
    if (ranOut || free.length < due.length) break;
  }
  if (claims.length === 0 && destinations)
    for (const destination of await deferredDestinations(tx)) seen.add(destination);
  const times = await nextTimes(tx);
  const nextDue = earliest(times);
  const isDue = (time: number | null | undefined): boolean => typeof time === "number" && time <= tx.now;
  // A message that is due, and that the last round hasn't seen, has a row that another transaction has locked.
  const passedOver = pass.passedOver || (ranOut && isDue(times.message));
  const busy = claims.length === 0 && passedOver && isDue(nextDue);
  return { claims, nextDue, busy, destinations: await hasDeferred(tx, seen) };
}

/** Makes the messages of everything else that is due. */
async function makeDue(tx: Tx, pass: Locks): Promise<void> {
  const times = await nextTimes(tx);
  const isDue = (time: number | null): boolean => time !== null && time <= tx.now;
  if (isDue(times.schedule)) await makeScheduledMessages(tx, pass);
  if (isDue(times.run)) await expireRuns(tx, pass);
  if (isDue(times.wait)) await expireWaits(tx, pass);
  if (isDue(times.flow)) await releaseDueFlows(tx, pass);
}

/** Whether a message's queue and flow control key admit it. Otherwise it waits for them. */
async function admits(tx: Tx, { seq, status, queue, flow_key }: MessageRow, pass: Locks): Promise<boolean> {
  // Its lease has run out: it was admitted before.
  if (status === STATUS.delivering) return true;
  if (!(await pass.take("queue", queue)) || !(await pass.take("flow", flow_key))) return false;
  if (queue !== null && (await isQueuePaused(tx, queue))) {
    await enqueueMessage(tx, seq);
    return false;
  }
  if (flow_key === null) return true;
  // The key has admitted a message that is ready. But nothing begins while the key is paused.
  const admitted =
    status === STATUS.ready ? !(await isFlowPaused(tx, flow_key)) : await admitByFlow(tx, flow_key);
  if (!admitted) await throttleMessage(tx, seq);
  return admitted;
}

/** Claims messages side by side, those of one run one after the other. @returns the claims, in the order of the messages */
async function takeAll(tx: Tx, messages: readonly MessageRow[], order: ClaimOrder): Promise<Claim[]> {
  const claims = await inOrder.mapByKey(
    messages,
    ({ run, seq }) => (run === null ? `message ${seq}` : run),
    (message) => take(tx, message, order),
  );
  return claims.flat();
}

/** Claims a message. @returns nothing for a delivery that isn't needed, because another one holds its run */
async function take(tx: Tx, found: MessageRow, { leaseUntil, owner = "" }: ClaimOrder): Promise<Claim[]> {
  const { seq } = found;
  const isStep = found.run !== null && found.kind === "step";
  const [run, last] = await Promise.all([
    runOf(tx, found.run),
    isStep ? lastEntry(tx, found.run) : undefined,
  ]);
  const offer: Offer = run && isStep ? offerLease(tx, found, { run, last }) : { kind: "plain" };
  if (offer.kind === "held") {
    // The invocation that holds the run learns of the entry by itself.
    await finishDelivery(tx, found);
    if (await releaseThrottled(tx, found.flow_key)) tx.wakeAt(tx.now);
    return [];
  }
  const status = transition(found.status, "claim", found.retried);
  tx.send(
    sql`UPDATE due SET status = ${status}, at = ${leaseUntil}, fence = fence + 1, owner = ${owner} WHERE message = ${seq}`,
  );
  const entry = offer.kind === "lease" ? offer.entry : found.entry;
  const row: MessageRow = { ...found, entry, status, at: leaseUntil, fence: found.fence + 1 };
  await logState(tx, row, "ACTIVE");
  const { entries, omitted, step } = await entriesOf(tx, row);
  const queue = row.queue ?? (await queueOfPlace(tx, row.place));
  const claim: Claim = {
    lease: {
      seq,
      messageId: row.id,
      runId: run?.id,
      invoker: run?.invoker?.runId,
      fence: row.fence,
      queue,
      flowKey: row.flow_key,
    },
    dueAt: found.status === STATUS.delivering ? undefined : (found.at ?? undefined),
    holdable: queue !== null || row.flow_key !== null || found.status === STATUS.ready,
    message: toMessage(row),
    run,
    runLease: offer.kind === "lease" ? offer.token : undefined,
    first: row.kind === "step" && entries.length === 1,
    entries,
    omitted,
    step,
    ended: run && isPostRun(row.kind) ? await endedRun(tx, run, row) : undefined,
  };
  return [claim];
}

/** The state of the rollbacks of a run, for a message that follows its end. */
async function endedRun(tx: Tx, run: Run, { kind }: MessageRow): Promise<Claim["ended"]> {
  return {
    rollbacks: await rollbacksOf(tx, run.key),
    started: await startedSteps(tx, run.key),
    ...(await stepsUnderWay(tx, run)),
    pending: kind === "failure" && (await isRollingBack(tx, run.key)),
  };
}

const NO_ENTRIES: ClaimedEntries = { entries: [], omitted: 0, step: undefined };

async function entriesOf(tx: Tx, { run, entry, kind }: MessageRow): Promise<ClaimedEntries> {
  if (run === null) return NO_ENTRIES;
  if (isPostRun(kind)) return { ...NO_ENTRIES, entries: await history(tx, run) };
  if (entry === null) return NO_ENTRIES;
  return await claimedEntries(tx, run, entry, kind === "step" ? 0 : entry);
}
