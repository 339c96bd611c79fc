import type { CallType, HistoryEntry } from "@perdure/core/protocol";
import type { Claim, ClaimOrder, Claims, Lease } from "../store.ts";
import type { Database } from "./database.ts";
import { admit, letAllGo, letGo, nextWake, PARKED, park, wakeFlows } from "./flow.ts";
import { lookAt, openLanes, setAside } from "./lanes.ts";
import { type Due, runOf } from "./messages.ts";
import { type MessageRow, toMessage } from "./rows.ts";
import { expire, nextDeadline } from "./waiting.ts";

/** What a message was before it was claimed. */
const WAITING = "state = CASE retried WHEN 0 THEN 'CREATED' ELSE 'RETRY' END";

/** Rounds of setting aside what its flow control doesn't admit: what is left then is taken up by the next claim. */
const ROUNDS = 8;

export function claim(db: Database, order: ClaimOrder): Claims {
  const { now, limit, lanes } = order;
  // What comes due by this is taken along, or told as what is next.
  const recorded = expire(db, now, () => {});
  wakeFlows(db, now);
  const looked = new Set(lanes?.open.keys());
  if (lanes) openLanes(db, lanes, limit);
  const claims: Claim[] = [];
  for (let round = 0; round < ROUNDS && claims.length < limit; round++) {
    const due = db.all<Pick<MessageRow, "seq" | "state" | "flow_key" | "url" | "purpose">>(
      "SELECT seq, state, flow_key, url, purpose FROM messages WHERE due_at <= ? ORDER BY due_at, seq LIMIT ?",
      now,
      limit - claims.length,
    );
    if (due.length === 0) break;
    for (const { seq, state, flow_key, url, purpose } of due) {
      // One whose lease has run out, or that was set aside, was admitted before.
      if (flow_key !== null && state !== "ACTIVE" && !admit(db, flow_key, now)) {
        park(db, seq);
        continue;
      }
      const boarding = lanes?.board({ url, purpose });
      if (boarding?.kind === "full") {
        setAside(db, seq, boarding.lane);
        looked.add(boarding.lane);
      } else claims.push(take(db, seq, order.leaseUntil));
    }
  }
  return { claims, nextDue: nextDue(db), recorded, lanes: lookAt(db, looked) };
}

function nextDue(db: Database): number | undefined {
  // All leases are this process's own.
  const next = db.get<{ due_at: number }>(
    "SELECT due_at FROM messages WHERE due_at < ? AND state <> 'ACTIVE' ORDER BY due_at LIMIT 1",
    PARKED,
  );
  const times = [next?.due_at, nextDeadline(db), nextWake(db)].filter((time) => time !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}

export function renew(db: Database, leases: readonly Lease[], until: number): Lease[] {
  return leases.filter(({ seq, messageId, fence }) => {
    const { changes } = db.run(
      "UPDATE messages SET due_at = ? WHERE seq = ? AND id = ? AND fence = ? AND state = 'ACTIVE'",
      until,
      seq,
      messageId,
      fence,
    );
    return changes === 0;
  });
}

export function release(db: Database, leases: readonly Lease[], now: number, due: Due): void {
  for (const { seq, messageId, fence } of leases) {
    const row = db.get<{ flow_key: string | null }>(
      `UPDATE messages SET due_at = ?, ${WAITING}
       WHERE seq = ? AND id = ? AND fence = ? AND state = 'ACTIVE' RETURNING flow_key`,
      now,
      seq,
      messageId,
      fence,
    );
    if (!row) continue;
    letGo(db, row.flow_key);
    due(now);
  }
}

/** As {@link release} with every lease that there is. */
export function releaseAll(db: Database): void {
  db.run(
    `UPDATE messages SET due_at = 0, lane = NULL, ${WAITING} WHERE due_at IS NOT NULL AND state = 'ACTIVE'`,
  );
  letAllGo(db);
}

/** A run's history, from the entry at `first` up to and with the one at `last`. */
export function history(
  db: Database,
  run: number,
  last: number = Number.MAX_SAFE_INTEGER,
  first = 0,
): HistoryEntry[] {
  const rows = db.all<{ message: string; body: string; call_type: CallType }>(
    "SELECT message, body, call_type FROM entries WHERE run = ? AND seq BETWEEN ? AND ? ORDER BY seq",
    run,
    first,
    last,
  );
  return rows.map(({ message, body, call_type }) => ({ messageId: message, body, callType: call_type }));
}

function take(db: Database, seq: number, leaseUntil: number): Claim {
  const row = db.get<MessageRow>(
    "UPDATE messages SET state = 'ACTIVE', due_at = ?, fence = fence + 1 WHERE seq = ? RETURNING *",
    leaseUntil,
    seq,
  ) as MessageRow;
  const entries = entriesOf(db, row);
  return {
    lease: { seq, messageId: row.id, fence: row.fence },
    message: toMessage(row),
    run: runOf(db, row.run),
    first: row.purpose === "step" && entries.length === 1,
    entries,
  };
}

function entriesOf(db: Database, { run, entry, purpose }: MessageRow): HistoryEntry[] {
  if (run === null || entry === null) return [];
  return purpose === "step" ? history(db, run, entry) : history(db, run, entry, entry);
}
