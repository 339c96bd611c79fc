import { isKeyOf, LOWERCASE_HEADER, type StepRecord } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import type { MessageKind } from "../rules/message.ts";
import { STATUS } from "../rules/message-status.ts";
import type { Lease } from "../store/claims.ts";
import { IS_POST_RUN, isUnder, statusOn } from "../store/tables/due.ts";
import { type MessageRow, toMessage } from "../store/tables/rows.ts";
import { constants, GREATEST, sql, type Tx } from "../store/tx.ts";

/** The condition on `due` that a report of a run's end waits: no attempt has begun, and it isn't an alarm, which doesn't wait. */
const IS_WAITING_REPORT = sql`${IS_POST_RUN} AND due.status = ${STATUS.scheduled} AND due.fence = 0 AND NOT EXISTS (SELECT 1 FROM messages
  JOIN due AS first ON first.message = messages.awaits WHERE messages.seq = due.message)`;

const CALL: MessageKind = "call";

/** The kinds of delivery that may be at a step. */
const OF_STEPS = constants<MessageKind>("step", "answer", "call");

/** The row of a delivery with the entry that it delivers. */
interface InFlightRow extends MessageRow {
  readonly record: string | null;
  readonly entry_body: Uint8Array | null;
}

/**
 * Withdraws the deliveries of a run that are in progress and may be at a step with a rollback, and keeps their leases:
 * the rollback of a step must not begin while the step itself is in progress.
 */
export async function markInFlight(tx: Tx, run: number): Promise<void> {
  const rows = await tx.all<InFlightRow>(
    sql`SELECT messages.*, entries.record, entries.body AS entry_body FROM due
      JOIN messages ON messages.seq = due.message LEFT JOIN entries ON entries.seq = messages.entry
      WHERE due.run = ${run} AND due.status = ${STATUS.delivering} AND due.kind IN (${OF_STEPS})`,
  );
  for (const row of rows) {
    if (mayNeedRollback(row)) {
      tx.send(sql`UPDATE due SET ${statusOn("withdraw")}, since = at, at = NULL WHERE message = ${row.seq}`);
    }
  }
}

/** Whether the step of a delivery may have a rollback. Plans and calls say so; the step of any other delivery is unknown. */
function mayNeedRollback(row: InFlightRow): boolean {
  if (row.kind === "call") {
    const name = LOWERCASE_HEADER.rollback;
    return toMessage(row).callback?.options?.forward.some(([forwarded]) => forwarded === name) ?? false;
  }
  if (!isKeyOf("plan", row.record ?? "")) return true;
  const plan = JSON.parse(toText(row.entry_body ?? new Uint8Array())) as StepRecord;
  return plan.rollback === true;
}

/** Delays a report until the withdrawn deliveries of its run have ended, or their leases have run out. */
export async function deferReport(tx: Tx, run: number, report: number): Promise<void> {
  tx.send(
    sql`UPDATE due SET at = ${GREATEST}(at, coalesce((SELECT max(since) FROM due
      WHERE run = ${run} AND status = ${STATUS.withdrawn}), 0)) WHERE message = ${report} AND at IS NOT NULL`,
  );
}

/** Renews the lease of a withdrawn delivery that is still in progress. @returns whether it has one */
export async function renewInFlight(tx: Tx, lease: Lease, until: number): Promise<boolean> {
  // The engine aborts a withdrawn call.
  const row = await tx.one<{ run: number }>(
    sql`UPDATE due SET since = ${until} WHERE ${isUnder(lease)} AND status = ${STATUS.withdrawn} AND kind <> ${CALL}
      RETURNING run`,
  );
  if (!row) return false;
  tx.send(sql`UPDATE due SET at = ${GREATEST}(at, ${until}) WHERE run = ${row.run} AND ${IS_WAITING_REPORT}`);
  return true;
}

/** Ends a withdrawn delivery. Reports that waited for it alone are due. @returns its run */
export async function completeInFlight(tx: Tx, lease: Lease): Promise<number | undefined> {
  const row = await tx.one<{ run: number }>(
    sql`DELETE FROM due WHERE ${isUnder(lease)} AND status = ${STATUS.withdrawn} RETURNING run`,
  );
  if (!row) return undefined;
  const others = await tx.one(
    sql`SELECT 1 FROM due WHERE run = ${row.run} AND status = ${STATUS.withdrawn} LIMIT 1`,
  );
  if (!others) {
    const reports = await tx.all<{ at: number }>(
      sql`UPDATE due SET at = ${GREATEST}((SELECT not_before FROM messages WHERE seq = due.message), ${tx.now})
        WHERE run = ${row.run} AND ${IS_WAITING_REPORT} RETURNING at`,
    );
    for (const { at } of reports) tx.wakeAt(at);
  }
  return row.run;
}

/**
 * Ends all withdrawn deliveries, after the process that made them has died.
 *
 * @param at when the reports that waited for them are due, in milliseconds since 1970
 */
export async function completeAllInFlight(tx: Tx, at: number): Promise<void> {
  tx.send(
    sql`UPDATE due SET at = ${GREATEST}((SELECT not_before FROM messages WHERE seq = due.message), ${at})
      WHERE ${IS_WAITING_REPORT} AND run IN (SELECT run FROM due WHERE status = ${STATUS.withdrawn})`,
  );
  tx.send(sql`DELETE FROM due WHERE status = ${STATUS.withdrawn}`);
}
