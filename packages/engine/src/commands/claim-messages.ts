import { earliest, type NextTimes, nextTimes, onlyMessagesAreDue } from "../queries/next-times.ts";
import { STATUS } from "../rules/message-status.ts";
import type { ClaimOrder } from "../store/claim-order.ts";
import type { Claims } from "../store/claims.ts";
import { isQueuePaused } from "../store/tables/queues.ts";
import { CLAIMABLE_MESSAGES, type ClaimableRow, type MessageRow } from "../store/tables/rows.ts";
import { runsWithEnds } from "../store/tables/runs.ts";
import { SKIP_LOCKED, sql, type Tx } from "../store/tx.ts";
import { admitByFlow, isFlowPaused } from "./admit-by-flow.ts";
import { Locks } from "./claim-locks.ts";
import {
  type Deferral,
  deferMessages,
  deferredDestinations,
  hasDeferred,
  releaseDeferred,
} from "./defer-message.ts";
import { enqueueMessage } from "./enqueue-message.ts";
import { expireRuns } from "./expire-runs.ts";
import { expireWaits } from "./expire-waits.ts";
import { claimsOf, type Leased, leaseMessages } from "./lease-messages.ts";
import { makeScheduledMessages } from "./make-scheduled-messages.ts";
import { releaseDueFlows } from "./release-throttled.ts";
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
 * is at, and says so. Statements that don't depend on each other's results are on their way at the same time: mostly, a claim waits
 * for the database three times, and for its commit.
 */
export async function claimMessages(tx: Tx, order: ClaimOrder): Promise<Claims> {
  const { limit, destinations, owner = "" } = order;
  const pass = new Locks(tx);
  const seen = new Set(destinations?.open.keys());
  const leased: Leased[] = [];
  let due = await firstDue(tx, order, pass);
  let ranOut = false;
  for (let round = 1; ; round++) {
    const wanted = limit - leased.length;
    // The runs are read under their locks. Those of messages that are passed over are read for nothing.
    const [locked, runs] = await Promise.all([
      pass.takeEach(
        "run",
        due.map(({ run_id }) => run_id),
      ),
      runsWithEnds(
        tx,
        due.flatMap(({ run }) => run ?? []),
      ),
    ]);
    const free = due.filter((_, at) => locked[at]);
    const admitted: ClaimableRow[] = [];
    const deferred: Deferral[] = [];
    for (const message of free) {
      if (!(await admits(tx, message, pass))) continue;
      const admission = destinations?.admit({ url: message.url, kind: message.kind });
      if (admission?.kind === "full") {
        deferred.push({ message: message.seq, destination: admission.destination });
        seen.add(admission.destination);
      } else admitted.push(message);
      if (message.flow_key === null) continue;
      // Its key counts it before it admits another one.
      deferMessages(tx, deferred.splice(0), owner);
      leased.push(...(await leaseMessages(tx, admitted.splice(0), { order, runs })));
    }
    deferMessages(tx, deferred, owner);
    leased.push(...(await leaseMessages(tx, admitted, { order, runs })));
    ranOut = due.length < wanted;
    if (ranOut || free.length < due.length || leased.length >= limit || round === MAX_ROUNDS) break;
    due = await dueMessages(tx, limit - leased.length);
  }
  if (leased.length === 0 && destinations)
    for (const destination of await deferredDestinations(tx)) seen.add(destination);
  const [claims, later, waiting] = await Promise.all([
    claimsOf(tx, leased),
    nextTimes(tx),
    hasDeferred(tx, seen),
  ]);
  const nextDue = earliest(later);
  // A message that is due, and that the last round hasn't seen, has a row that another transaction has locked.
  const passedOver = pass.passedOver || (ranOut && isDue(tx, later.message));
  const busy = claims.length === 0 && passedOver && isDue(tx, nextDue);
  return { claims, nextDue, busy, destinations: waiting };
}

/**
 * The messages that are due, after everything else that is due has become messages. They are asked for together with the times, under
 * the condition that nothing else is due: a claim that held messages while it ends the messages of expired runs might wait for
 * another claim, and that one for it.
 */
async function firstDue(
  tx: Tx,
  { limit, destinations }: ClaimOrder,
  pass: Locks,
): Promise<readonly ClaimableRow[]> {
  const coming = nextTimes(tx);
  const isDeferred = destinations !== undefined && destinations.open.size > 0;
  const early = isDeferred ? undefined : dueMessages(tx, limit, onlyMessagesAreDue(tx.now));
  const [times, due] = await Promise.all([
    coming,
    early,
    destinations && releaseDeferred(tx, destinations, limit),
  ]);
  const isChanged = await makeDue(tx, times, pass);
  return due && !isChanged ? due : dueMessages(tx, limit);
}

function dueMessages(tx: Tx, limit: number, condition = sql`true`): Promise<ClaimableRow[]> {
  return tx.all<ClaimableRow>(
    sql`${CLAIMABLE_MESSAGES} WHERE due.at <= ${tx.now} AND ${condition}
      ORDER BY due.at, due.message LIMIT ${limit} ${SKIP_LOCKED}`,
  );
}

function isDue({ now }: Tx, time: number | null | undefined): boolean {
  return typeof time === "number" && time <= now;
}

/** Makes the messages of everything else that is due. @returns whether anything is */
async function makeDue(tx: Tx, times: NextTimes, pass: Locks): Promise<boolean> {
  const { schedule, run, wait, flow } = times;
  if (isDue(tx, schedule)) await makeScheduledMessages(tx, pass);
  if (isDue(tx, run)) await expireRuns(tx, pass);
  if (isDue(tx, wait)) await expireWaits(tx, pass);
  if (isDue(tx, flow)) await releaseDueFlows(tx, pass);
  return [schedule, run, wait, flow].some((time) => isDue(tx, time));
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
