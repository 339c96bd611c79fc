import { earliest, type NextTimes, nextTimes } from "../queries/next-times.ts";
import { STATUS } from "../rules/message-status.ts";
import type { ClaimOrder } from "../store/claim-order.ts";
import type { Claim, Claims } from "../store/claims.ts";
import * as inOrder from "../store/in-order.ts";
import { isQueuePaused } from "../store/tables/queues.ts";
import { CLAIMABLE_MESSAGES, type ClaimableRow, type MessageRow } from "../store/tables/rows.ts";
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
import { makeScheduledMessages } from "./make-scheduled-messages.ts";
import { releaseDueFlows } from "./release-throttled.ts";
import { takeMessages } from "./take-messages.ts";
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
  const [times] = await Promise.all([
    nextTimes(tx),
    destinations && releaseDeferred(tx, destinations, limit),
  ]);
  await makeDue(tx, times, pass);
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
      claims.push(...(await takeMessages(tx, admitted.splice(0), order)));
    }
    deferMessages(tx, deferred, owner);
    claims.push(...(await takeMessages(tx, admitted, order)));
    ranOut = due.length < wanted;
    if (ranOut || free.length < due.length) break;
  }
  if (claims.length === 0 && destinations)
    for (const destination of await deferredDestinations(tx)) seen.add(destination);
  const [later, waiting] = await Promise.all([nextTimes(tx), hasDeferred(tx, seen)]);
  const nextDue = earliest(later);
  const isDue = (time: number | null | undefined): boolean => typeof time === "number" && time <= tx.now;
  // A message that is due, and that the last round hasn't seen, has a row that another transaction has locked.
  const passedOver = pass.passedOver || (ranOut && isDue(later.message));
  const busy = claims.length === 0 && passedOver && isDue(nextDue);
  return { claims, nextDue, busy, destinations: waiting };
}

/** Makes the messages of everything else that is due. */
async function makeDue(tx: Tx, times: NextTimes, pass: Locks): Promise<void> {
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
