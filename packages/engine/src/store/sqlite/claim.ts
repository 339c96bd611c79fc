import type { CallType, HistoryEntry } from "@perdure/core/protocol";
import type { Claim, ClaimOrder, Claims, Lease } from "../store.ts";
import type { Due } from "./accept.ts";
import type { Database } from "./database.ts";
import { type MessageRow, type RunRow, toMessage, toRun } from "./rows.ts";

/** What a message was before it was claimed. */
const WAITING = "state = CASE retried WHEN 0 THEN 'CREATED' ELSE 'RETRY' END";

export function claim(db: Database, order: ClaimOrder): Claims {
  const due = db.all<{ seq: number }>(
    "SELECT seq FROM messages WHERE due_at <= ? ORDER BY due_at, seq LIMIT ?",
    order.now,
    order.limit,
  );
  const claims = due.map(({ seq }) => take(db, seq, order.leaseUntil));
  // All leases are this process's own.
  const next = db.get<{ due_at: number }>(
    "SELECT due_at FROM messages WHERE due_at IS NOT NULL AND state <> 'ACTIVE' ORDER BY due_at LIMIT 1",
  );
  return { claims, nextDue: next?.due_at };
}

export function renew(db: Database, leases: readonly Lease[], until: number): void {
  for (const { seq, messageId, fence } of leases) {
    db.run(
      "UPDATE messages SET due_at = ? WHERE seq = ? AND id = ? AND fence = ? AND state = 'ACTIVE'",
      until,
      seq,
      messageId,
      fence,
    );
  }
}

export function release(db: Database, leases: readonly Lease[], now: number, due: Due): void {
  for (const { seq, messageId, fence } of leases) {
    const { changes } = db.run(
      `UPDATE messages SET due_at = ?, ${WAITING}
       WHERE seq = ? AND id = ? AND fence = ? AND state = 'ACTIVE'`,
      now,
      seq,
      messageId,
      fence,
    );
    if (changes > 0) due(now);
  }
}

/** As {@link release} with every lease that there is. */
export function releaseAll(db: Database): void {
  db.run(`UPDATE messages SET due_at = 0, ${WAITING} WHERE due_at IS NOT NULL AND state = 'ACTIVE'`);
}

/** A run's history, up to and with the entry at `last`. */
export function history(db: Database, run: number, last: number = Number.MAX_SAFE_INTEGER): HistoryEntry[] {
  const rows = db.all<{ message: string; body: string; call_type: CallType }>(
    "SELECT message, body, call_type FROM entries WHERE run = ? AND seq <= ? ORDER BY seq",
    run,
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
  const run = row.run === null ? undefined : db.get<RunRow>("SELECT * FROM runs WHERE key = ?", row.run);
  const entries = row.run !== null && row.entry !== null ? history(db, row.run, row.entry) : [];
  return {
    lease: { seq, messageId: row.id, fence: row.fence },
    message: toMessage(row),
    run: run && toRun(run),
    first: entries.length === 1,
    entries,
  };
}
