import type { HistoryEntry } from "@perdure/core/protocol";
import { isAfterwards } from "../../domain/message.ts";
import * as inOrder from "../in-order.ts";
import type { Claim, ClaimOrder, Claims, Lease } from "../store.ts";
import { sql, type Tx } from "../tx.ts";

import { expireRuns, nextExpiry } from "./failing.ts";
import { admit, isFlowPaused, letAllGo, letGo, nextWake, PARKED, park, wakeFlows } from "./flow.ts";
import { history } from "./history.ts";
import { hasBegun, land, landAll, renewFlight } from "./landing.ts";
import { lookAt, openLanes, setAside } from "./lanes.ts";

import { logState } from "./log.ts";
import { runOf } from "./messages.ts";
import { hold, isPaused } from "./queues.ts";
import { isRollingBack, rollbacksOf, startedSteps } from "./rollbacks.ts";
import { type MessageRow, toMessage } from "./rows.ts";
import { nextTickAt, tick } from "./schedules.ts";
import { expire, nextDeadline } from "./waiting.ts";

/** What a message was before it was claimed. */
const WAITING = "state = CASE retried WHEN 0 THEN 'CREATED' ELSE 'RETRY' END";

/** Rounds of setting aside what its flow control doesn't admit: what is left then is taken up by the next claim. */
const ROUNDS = 8;

export async function claim(tx: Tx, order: ClaimOrder): Promise<Claims> {
  const { now, limit, lanes } = order;
  // What comes due by this is taken along, or told as what is next.
  await tick(tx, now);
  const ended = await expireRuns(tx, now);
  const recorded = [...ended.recorded, ...(await expire(tx, now))];
  await wakeFlows(tx, now);
  const looked = new Set(lanes?.open.keys());
  if (lanes) await openLanes(tx, lanes, limit);
  const claims: Claim[] = [];
  for (let round = 0; round < ROUNDS && claims.length < limit; round++) {
    const due = await tx.all<Candidate>(
      sql`SELECT seq, state, due_at, flow_key, queue, url, purpose FROM messages WHERE due_at <= ${now} ORDER BY due_at, seq LIMIT ${limit - claims.length}`,
    );
    if (due.length === 0) break;
    for (const message of due) {
      if (!(await admits(tx, message, now))) continue;
      const boarding = lanes?.board(message);
      if (boarding?.kind === "full") {
        await setAside(tx, message.seq, boarding.lane);
        looked.add(boarding.lane);
      } else claims.push(await take(tx, message.seq, order));
    }
  }
  return {
    claims,
    nextDue: await nextDue(tx),
    recorded,
    expired: ended.expired,
    lanes: await lookAt(tx, looked),
  };
}

type Candidate = Pick<MessageRow, "seq" | "state" | "due_at" | "flow_key" | "queue" | "url" | "purpose">;

/** Whether a message may be given out, as far as its queue and its key go; else it waits for them. */
async function admits(
  tx: Tx,
  { seq, state, due_at, flow_key, queue }: Candidate,
  now: number,
): Promise<boolean> {
  // Admitted before it was set aside: but it hasn't begun, and its queue or its key may have been paused since.
  const aside = state === "ACTIVE" && due_at === 0;
  // Its lease has run out.
  if (state === "ACTIVE" && !aside) return true;
  const paused = queue !== null && (await isPaused(tx, queue));
  if (
    !paused &&
    (flow_key === null || (aside ? !(await isFlowPaused(tx, flow_key)) : await admit(tx, flow_key, now)))
  ) {
    return true;
  }
  if (aside) await takeBack(tx, seq);
  if (paused) await hold(tx, seq);
  else await park(tx, seq);
  return false;
}

async function takeBack(tx: Tx, seq: number): Promise<void> {
  await tx.run(sql`UPDATE messages SET ${WAITING} WHERE seq = ${seq}`);
}

async function nextDue(tx: Tx): Promise<number | undefined> {
  // All leases are this process's own.
  const next = await tx.one<{ due_at: number }>(
    sql`SELECT due_at FROM messages WHERE due_at < ${PARKED} AND state <> 'ACTIVE' ORDER BY due_at LIMIT 1`,
  );
  const times = [
    next?.due_at,
    await nextDeadline(tx),
    await nextWake(tx),
    await nextTickAt(tx),
    await nextExpiry(tx),
  ].filter((time) => time !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}

export async function renew(tx: Tx, leases: readonly Lease[], until: number): Promise<Lease[]> {
  return await inOrder.filter(leases, async (lease) => {
    const { seq, messageId, fence } = lease;
    const changes = await tx.run(
      sql`UPDATE messages SET due_at = ${until} WHERE seq = ${seq} AND id = ${messageId} AND fence = ${fence} AND state = 'ACTIVE'`,
    );
    return changes === 0 && !(await renewFlight(tx, lease, until));
  });
}

export async function release(tx: Tx, leases: readonly Lease[], now: number): Promise<void> {
  for (const lease of leases) {
    const { seq, messageId, fence } = lease;
    const row = await tx.one<{ flow_key: string | null }>(sql`UPDATE messages SET due_at = ${now}, ${WAITING}
       WHERE seq = ${seq} AND id = ${messageId} AND fence = ${fence} AND state = 'ACTIVE' RETURNING flow_key`);
    if (!row) {
      await land(tx, lease, now);
      continue;
    }
    await letGo(tx, row.flow_key);
    tx.wakeAt(now);
  }
}

/** As {@link release} with every lease that there is. */
export async function releaseAll(tx: Tx): Promise<void> {
  await tx.run(
    sql`UPDATE messages SET due_at = 0, lane = NULL, ${WAITING} WHERE due_at IS NOT NULL AND state = 'ACTIVE'`,
  );
  await landAll(tx);
  await letAllGo(tx);
}

async function take(tx: Tx, seq: number, { now, leaseUntil }: ClaimOrder): Promise<Claim> {
  const row = (await tx.one<MessageRow>(
    sql`UPDATE messages SET state = 'ACTIVE', due_at = ${leaseUntil}, fence = fence + 1 WHERE seq = ${seq} RETURNING *`,
  )) as MessageRow;
  await logState(tx, row, "ACTIVE", now);
  const entries = await entriesOf(tx, row);
  return {
    lease: { seq, messageId: row.id, fence: row.fence },
    message: toMessage(row),
    run: await runOf(tx, row.run),
    first: row.purpose === "step" && entries.length === 1,
    entries,
    ended:
      row.run !== null && isAfterwards(row.purpose)
        ? {
            rollbacks: await rollbacksOf(tx, row.run),
            started: await startedSteps(tx, row.run),
            begun: await hasBegun(tx, row.run),
            pending: row.purpose === "failure" && (await isRollingBack(tx, row.run)),
          }
        : undefined,
  };
}

async function entriesOf(tx: Tx, { run, entry, purpose }: MessageRow): Promise<HistoryEntry[]> {
  if (run === null) return [];
  if (isAfterwards(purpose)) return await history(tx, run);
  if (entry === null) return [];
  return purpose === "step" ? await history(tx, run, entry) : await history(tx, run, entry, entry);
}
