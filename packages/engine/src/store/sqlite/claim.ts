import type { HistoryEntry } from "@perdure/core/protocol";
import { isAfterwards } from "../../domain/message.ts";
import type { Claim, ClaimOrder, Claims, Lease } from "../store.ts";
import type { Database } from "./database.ts";

import { expireRuns, nextExpiry } from "./failing.ts";
import { admit, isFlowPaused, letAllGo, letGo, nextWake, PARKED, park, wakeFlows } from "./flow.ts";
import { history } from "./history.ts";
import { hasBegun, land, landAll, renewFlight } from "./landing.ts";
import { lookAt, openLanes, setAside } from "./lanes.ts";

import { logState } from "./log.ts";
import { type Due, runOf } from "./messages.ts";
import { hold, isPaused } from "./queues.ts";
import { isRollingBack, rollbacksOf, startedSteps } from "./rollbacks.ts";
import { type MessageRow, toMessage } from "./rows.ts";
import { nextTickAt, tick } from "./schedules.ts";
import { expire, nextDeadline } from "./waiting.ts";

/** What a message was before it was claimed. */
const WAITING = "state = CASE retried WHEN 0 THEN 'CREATED' ELSE 'RETRY' END";

/** Rounds of setting aside what its flow control doesn't admit: what is left then is taken up by the next claim. */
const ROUNDS = 8;

export function claim(db: Database, order: ClaimOrder): Claims {
  const { now, limit, lanes } = order;
  // What comes due by this is taken along, or told as what is next.
  tick(db, now);
  const ended = expireRuns(db, now, () => {});
  const recorded = [...ended.recorded, ...expire(db, now, () => {})];
  wakeFlows(db, now);
  const looked = new Set(lanes?.open.keys());
  if (lanes) openLanes(db, lanes, limit);
  const claims: Claim[] = [];
  for (let round = 0; round < ROUNDS && claims.length < limit; round++) {
    const due = db.all<Candidate>(
      "SELECT seq, state, due_at, flow_key, queue, url, purpose FROM messages WHERE due_at <= ? ORDER BY due_at, seq LIMIT ?",
      now,
      limit - claims.length,
    );
    if (due.length === 0) break;
    for (const message of due) {
      if (!admits(db, message, now)) continue;
      const boarding = lanes?.board(message);
      if (boarding?.kind === "full") {
        setAside(db, message.seq, boarding.lane);
        looked.add(boarding.lane);
      } else claims.push(take(db, message.seq, order));
    }
  }
  return { claims, nextDue: nextDue(db), recorded, expired: ended.expired, lanes: lookAt(db, looked) };
}

type Candidate = Pick<MessageRow, "seq" | "state" | "due_at" | "flow_key" | "queue" | "url" | "purpose">;

/** Whether a message may be given out, as far as its queue and its key go; else it waits for them. */
function admits(db: Database, { seq, state, due_at, flow_key, queue }: Candidate, now: number): boolean {
  // Admitted before it was set aside: but it hasn't begun, and its queue or its key may have been paused since.
  const aside = state === "ACTIVE" && due_at === 0;
  // Its lease has run out.
  if (state === "ACTIVE" && !aside) return true;
  const paused = queue !== null && isPaused(db, queue);
  if (!paused && (flow_key === null || (aside ? !isFlowPaused(db, flow_key) : admit(db, flow_key, now)))) {
    return true;
  }
  if (aside) takeBack(db, seq);
  if (paused) hold(db, seq);
  else park(db, seq);
  return false;
}

function takeBack(db: Database, seq: number): void {
  db.run(`UPDATE messages SET ${WAITING} WHERE seq = ?`, seq);
}

function nextDue(db: Database): number | undefined {
  // All leases are this process's own.
  const next = db.get<{ due_at: number }>(
    "SELECT due_at FROM messages WHERE due_at < ? AND state <> 'ACTIVE' ORDER BY due_at LIMIT 1",
    PARKED,
  );
  const times = [next?.due_at, nextDeadline(db), nextWake(db), nextTickAt(db), nextExpiry(db)].filter(
    (time) => time !== undefined,
  );
  return times.length > 0 ? Math.min(...times) : undefined;
}

export function renew(db: Database, leases: readonly Lease[], until: number): Lease[] {
  return leases.filter((lease) => {
    const { seq, messageId, fence } = lease;
    const { changes } = db.run(
      "UPDATE messages SET due_at = ? WHERE seq = ? AND id = ? AND fence = ? AND state = 'ACTIVE'",
      until,
      seq,
      messageId,
      fence,
    );
    return changes === 0 && !renewFlight(db, lease, until);
  });
}

export function release(db: Database, leases: readonly Lease[], now: number, due: Due): void {
  for (const lease of leases) {
    const { seq, messageId, fence } = lease;
    const row = db.get<{ flow_key: string | null }>(
      `UPDATE messages SET due_at = ?, ${WAITING}
       WHERE seq = ? AND id = ? AND fence = ? AND state = 'ACTIVE' RETURNING flow_key`,
      now,
      seq,
      messageId,
      fence,
    );
    if (!row) {
      land(db, lease, now, due);
      continue;
    }
    letGo(db, row.flow_key);
    due(now);
  }
}

/** As {@link release} with every lease that there is. */
export function releaseAll(db: Database): void {
  db.run(
    `UPDATE messages SET due_at = 0, lane = NULL, ${WAITING} WHERE due_at IS NOT NULL AND state = 'ACTIVE'`,
  );
  landAll(db);
  letAllGo(db);
}

function take(db: Database, seq: number, { now, leaseUntil }: ClaimOrder): Claim {
  const row = db.get<MessageRow>(
    "UPDATE messages SET state = 'ACTIVE', due_at = ?, fence = fence + 1 WHERE seq = ? RETURNING *",
    leaseUntil,
    seq,
  ) as MessageRow;
  logState(db, row, "ACTIVE", now);
  const entries = entriesOf(db, row);
  return {
    lease: { seq, messageId: row.id, fence: row.fence },
    message: toMessage(row),
    run: runOf(db, row.run),
    first: row.purpose === "step" && entries.length === 1,
    entries,
    ended:
      row.run !== null && isAfterwards(row.purpose)
        ? {
            rollbacks: rollbacksOf(db, row.run),
            started: startedSteps(db, row.run),
            begun: hasBegun(db, row.run),
            pending: row.purpose === "failure" && isRollingBack(db, row.run),
          }
        : undefined,
  };
}

function entriesOf(db: Database, { run, entry, purpose }: MessageRow): HistoryEntry[] {
  if (run === null) return [];
  if (isAfterwards(purpose)) return history(db, run);
  if (entry === null) return [];
  return purpose === "step" ? history(db, run, entry) : history(db, run, entry, entry);
}
