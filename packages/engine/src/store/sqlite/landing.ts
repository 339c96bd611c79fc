import { HEADER, type StepRecord } from "@perdure/core/protocol";
import { firstValue } from "../../domain/header.ts";
import type { Lease } from "../store.ts";
import type { Database, Due } from "./database.ts";
import { IS_AWAITING } from "./rollbacks.ts";
import { type MessageRow, toMessage } from "./rows.ts";

/** Reports of a run's end that nobody has begun to deliver. An alarm doesn't wait for what is still under way. */
const WAITING = `purpose IN ('failure', 'rollback', 'cancel') AND state = 'CREATED' AND fence = 0
  AND due_at IS NOT NULL AND NOT ${IS_AWAITING}`;

/**
 * Remembers which of a run's deliveries are under way as they are withdrawn, and may be at a step that is to be rolled
 * back: that isn't begun while the step itself is still being done.
 */
export function markFlights(db: Database, run: number): void {
  const rows = db.all<MessageRow & { readonly record: string | null; readonly entry_body: string | null }>(
    `SELECT messages.*, entries.record, entries.body AS entry_body
     FROM messages LEFT JOIN entries ON entries.seq = messages.entry
     WHERE messages.run = ? AND messages.state <> 'DELIVERED' AND messages.state = 'ACTIVE'
       AND purpose IN ('step', 'answer', 'call')`,
    run,
  );
  for (const row of rows)
    if (mayBeUndone(row)) db.run("UPDATE messages SET landing = due_at WHERE seq = ?", row.seq);
}

/** A plan and a call say whether their step has a rollback. Which step any other delivery is at, isn't known here. */
function mayBeUndone(
  row: MessageRow & { readonly record: string | null; readonly entry_body: string | null },
): boolean {
  if (row.purpose === "call") {
    const name = HEADER.rollback.toLowerCase();
    return toMessage(row).callback?.options?.forward.some(([forwarded]) => forwarded === name) ?? false;
  }
  if (!row.record?.startsWith("plan:")) return true;
  const plan = JSON.parse(Buffer.from(row.entry_body ?? "", "base64").toString()) as StepRecord;
  return plan.rollback === true;
}

/** Has a report wait until the deliveries of its run have landed, or their leases have run out. */
export function holdReport(db: Database, run: number, report: number): void {
  db.run(
    `UPDATE messages SET due_at = max(due_at, coalesce((SELECT max(landing) FROM messages
       WHERE run = ? AND landing IS NOT NULL), 0)) WHERE seq = ?`,
    run,
    report,
  );
}

/** A delivery that was withdrawn goes on under its lease. @returns whether anything waits for it */
export function renewFlight(db: Database, { seq, messageId, fence }: Lease, until: number): boolean {
  // A call is broken off instead.
  const row = db.get<{ run: number }>(
    `UPDATE messages SET landing = ? WHERE seq = ? AND id = ? AND fence = ? AND landing IS NOT NULL
       AND purpose <> 'call' RETURNING run`,
    until,
    seq,
    messageId,
    fence,
  );
  if (!row) return false;
  db.run(`UPDATE messages SET due_at = max(due_at, ?) WHERE run = ? AND ${WAITING}`, until, row.run);
  return true;
}

/** A delivery that was withdrawn is over. What waited for it, and for no other, is due. @returns its run */
export function land(
  db: Database,
  { seq, messageId, fence }: Lease,
  now: number,
  due: Due,
): number | undefined {
  const row = db.get<{ run: number }>(
    `UPDATE messages SET landing = NULL WHERE seq = ? AND id = ? AND fence = ? AND landing IS NOT NULL
     RETURNING run`,
    seq,
    messageId,
    fence,
  );
  if (!row) return undefined;
  if (!db.get("SELECT 1 FROM messages WHERE run = ? AND landing IS NOT NULL LIMIT 1", row.run)) {
    const reports = db.all<{ due_at: number }>(
      `UPDATE messages SET due_at = max(not_before, ?) WHERE run = ? AND ${WAITING} RETURNING due_at`,
      now,
      row.run,
    );
    for (const { due_at } of reports) due(due_at);
  }
  return row.run;
}

/** Nobody is left who could tell of any landing. */
export function landAll(db: Database): void {
  db.run(
    `UPDATE messages SET due_at = not_before WHERE ${WAITING}
       AND run IN (SELECT run FROM messages WHERE landing IS NOT NULL)`,
  );
  db.run("UPDATE messages SET landing = NULL WHERE landing IS NOT NULL");
}

/**
 * Whether a run that has ended may have begun a step that isn't on record: whether any attempt at the delivery that was
 * to go on with it came to an end that doesn't say what it did.
 */
export function hasBegun(db: Database, run: number): boolean {
  const last = db.get<{ seq: number | null; fence: number | null }>(
    `SELECT messages.seq, messages.fence FROM entries LEFT JOIN messages ON messages.id = entries.message
     WHERE entries.run = ? AND entries.call_type <> 'toCallback' ORDER BY entries.seq DESC LIMIT 1`,
    run,
  );
  // What isn't kept any more was delivered.
  if (!last || last.seq === null || last.fence === null) return true;
  if (last.fence === 0) return false;
  const told = db
    .all<{ headers: string }>(
      "SELECT headers FROM failures WHERE message = ? AND status >= 300 AND headers IS NOT NULL",
      last.seq,
    )
    .map(({ headers }) => JSON.parse(headers) as Record<string, string[]>)
    .filter((headers) => firstValue(headers, HEADER.sdkVersion) !== undefined);
  if (told.length < last.fence) return true;
  const final = db.get<{ headers: string | null }>("SELECT headers FROM dlq WHERE run = ?", run)?.headers;
  const failed = stepIn(JSON.parse(final ?? "{}"));
  return told.some((headers) => ![undefined, failed].includes(stepIn(headers)));
}

function stepIn(headers: Record<string, string[]>): string | undefined {
  return firstValue(headers, HEADER.errorStepName);
}
