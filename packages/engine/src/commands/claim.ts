import type { HistoryEntry } from "@perdure/core/protocol";
import { isPostRun } from "../rules/message.ts";
import { transition } from "../rules/message-status.ts";
import type { ClaimOrder } from "../store/claim-order.ts";
import type { Claim, Claims, Lease } from "../store/claims.ts";
import * as inOrder from "../store/in-order.ts";
import { transitionTo, underLease, WAITING_STATUS } from "../store/tables/due.ts";
import { type ClaimedEntries, claimedEntries, history } from "../store/tables/entries.ts";
import { logState } from "../store/tables/logs.ts";
import { LIVE_MESSAGES, type MessageRow, toMessage } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { defer, releaseDeferred, stillWaiting } from "./destinations.ts";
import { expireRuns, nextExpiry } from "./expire-runs.ts";
import {
  admit,
  isFlowPaused,
  nextPeriodAt,
  releaseDueKeys,
  releaseEveryKey,
  releaseWaiting,
  throttle,
} from "./flow-limits.ts";
import { endAllHolds, endHold, type Offer, offerLease } from "./hold-run.ts";
import { completeAllInFlight, completeInFlight, renewInFlight, stepsUnderWay } from "./in-flight.ts";
import { runOf } from "./messages.ts";
import { enqueue, isPaused } from "./queue-places.ts";
import { isRollingBack, rollbacksOf, startedSteps } from "./rollbacks.ts";
import { nextTickAt, tick } from "./schedules.ts";
import { finishDelivery } from "./step-delivery.ts";
import { expire, nextDeadline } from "./waits.ts";

/** Rounds of setting aside what its flow control doesn't admit: what is left then is taken up by the next claim. */
const ROUNDS = 8;

/**
 * Gives out the messages that are due, in the order in which they came due, as far as their flow control lets them. First
 * it records the waits that are over by now and makes the messages of schedules that tick by now. Each claim raises the
 * message's fencing token, and its due time becomes the lease's end: a message that nobody settles comes due again.
 */
export async function claim(tx: Tx, order: ClaimOrder): Promise<Claims> {
  const { limit, destinations } = order;
  // What comes due by this is taken along, or told as what is next.
  await tick(tx);
  await expireRuns(tx);
  await expire(tx);
  await releaseDueKeys(tx);
  const looked = new Set(destinations?.open.keys());
  if (destinations) await releaseDeferred(tx, destinations, limit);
  const claims: Claim[] = [];
  for (let round = 0; round < ROUNDS && claims.length < limit; round++) {
    const due = await tx.all<MessageRow>(
      sql`${LIVE_MESSAGES} WHERE due.at <= ${tx.now} ORDER BY due.at, due.message LIMIT ${limit - claims.length}`,
    );
    if (due.length === 0) break;
    for (const message of due) {
      if (!(await admits(tx, message))) continue;
      const admission = destinations?.admit({ url: message.url, kind: message.kind });
      if (admission?.kind === "full") {
        await defer(tx, message.seq, admission.destination);
        looked.add(admission.destination);
      } else claims.push(...(await take(tx, message, order)));
    }
  }
  return {
    claims,
    nextDue: await nextDue(tx),
    destinations: await stillWaiting(tx, looked),
  };
}

/** Whether a message may be given out, as far as its queue and its key go; else it waits for them. */
async function admits(tx: Tx, { seq, status, queue, flow_key }: MessageRow): Promise<boolean> {
  // Its lease has run out.
  if (status === "delivering") return true;
  if (queue !== null && (await isPaused(tx, queue))) {
    await enqueue(tx, seq);
    return false;
  }
  if (flow_key === null) return true;
  // Its key has admitted what is ready already: but nothing begins while the key is paused.
  if (status === "ready" ? !(await isFlowPaused(tx, flow_key)) : await admit(tx, flow_key)) return true;
  await throttle(tx, seq);
  return false;
}

async function nextDue(tx: Tx): Promise<number | undefined> {
  // Leases are watched by those who hold them.
  const next = await tx.one<{ at: number }>(
    sql`SELECT at FROM due WHERE at IS NOT NULL AND status <> 'delivering' ORDER BY at LIMIT 1`,
  );
  const times = [
    next?.at,
    await nextDeadline(tx),
    await nextPeriodAt(tx),
    await nextTickAt(tx),
    await nextExpiry(tx),
  ].filter((time) => time !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}

/** Moves the end of leases. @returns the leases that were lost or settled, which stay as they are */
export async function renew(tx: Tx, leases: readonly Lease[], until: number): Promise<Lease[]> {
  return await inOrder.filter(leases, async (lease) => {
    const changes = await tx.run(
      sql`UPDATE due SET at = ${until} WHERE ${underLease(lease)} AND status = 'delivering'`,
    );
    return changes === 0 && !(await renewInFlight(tx, lease, until));
  });
}

/** Gives leases back: their messages are due at once, as if they had not been tried. */
export async function release(tx: Tx, leases: readonly Lease[]): Promise<void> {
  for (const lease of leases) {
    const row = await tx.one<{ flow_key: string | null; run: number | null }>(
      sql`UPDATE due SET status = ${WAITING_STATUS}, at = ${tx.now}, owner = NULL
        WHERE ${underLease(lease)} AND status = 'delivering' RETURNING flow_key, run`,
    );
    if (!row) {
      await completeInFlight(tx, lease);
      continue;
    }
    await endHold(tx, { run: row.run, seq: lease.seq });
    await releaseWaiting(tx, row.flow_key);
    tx.wakeAt(tx.now);
  }
}

/** Gives every lease back. @param at when their messages are due, in milliseconds since 1970 */
export async function releaseAll(tx: Tx, at: number): Promise<void> {
  await tx.run(
    sql`UPDATE due SET ${transitionTo("release")}, at = 0, since = NULL, destination = NULL
      WHERE status IN ('deferred', 'ready')`,
  );
  // Before the leases end: whatever is at work yet keeps others out of its slot.
  await releaseEveryKey(tx);
  await endAllHolds(tx);
  await tx.run(
    sql`UPDATE due SET ${transitionTo("release")}, at = ${at}, owner = NULL WHERE status = 'delivering'`,
  );
  await completeAllInFlight(tx, at);
}

/** Claims a message. @returns nothing for a delivery that isn't needed, because another one holds its run */
async function take(tx: Tx, found: MessageRow, { leaseUntil, owner = "" }: ClaimOrder): Promise<Claim[]> {
  const { seq } = found;
  const run = await runOf(tx, found.run);
  const offer: Offer = run && found.kind === "step" ? await offerLease(tx, found, run) : { kind: "plain" };
  if (offer.kind === "held") {
    // The invocation that holds the run learns of the entry by itself.
    await finishDelivery(tx, found);
    if (await releaseWaiting(tx, found.flow_key)) tx.wakeAt(tx.now);
    return [];
  }
  const status = transition(found.status, "claim", found.retried);
  await tx.run(
    sql`UPDATE due SET status = ${status}, at = ${leaseUntil}, fence = fence + 1, owner = ${owner} WHERE message = ${seq}`,
  );
  const entry = offer.kind === "lease" ? offer.entry : found.entry;
  const row: MessageRow = { ...found, entry, status, at: leaseUntil, fence: found.fence + 1 };
  await logState(tx, row, "ACTIVE");
  const { entries, omitted } = await entriesOf(tx, row);
  const claim: Claim = {
    lease: { seq, messageId: row.id, fence: row.fence },
    message: toMessage(row),
    run,
    runLease: offer.kind === "lease" ? offer.token : undefined,
    first: row.kind === "step" && entries.length === 1,
    entries,
    omitted,
    ended:
      run && isPostRun(row.kind)
        ? {
            rollbacks: await rollbacksOf(tx, run.key),
            started: await startedSteps(tx, run.key),
            ...(await stepsUnderWay(tx, run)),
            pending: row.kind === "failure" && (await isRollingBack(tx, run.key)),
          }
        : undefined,
  };
  return [claim];
}

async function entriesOf(tx: Tx, { run, entry, kind }: MessageRow): Promise<ClaimedEntries> {
  if (run === null) return { entries: [], omitted: 0 };
  if (isPostRun(kind)) return { entries: await history(tx, run), omitted: 0 };
  if (entry === null) return { entries: [], omitted: 0 };
  return await claimedEntries(tx, run, entry, kind === "step" ? 0 : entry);
}

/** The entries of a claim, with the bodies that it was given out without. */
export async function wholeEntries(tx: Tx, { lease }: Claim): Promise<HistoryEntry[]> {
  const row = await tx.one<Pick<MessageRow, "run" | "entry" | "kind">>(
    sql`SELECT run, entry, kind FROM messages WHERE seq = ${lease.seq}`,
  );
  if (!row || row.run === null || row.entry === null) return [];
  return await history(tx, row.run, row.entry, row.kind === "step" ? 0 : row.entry);
}
