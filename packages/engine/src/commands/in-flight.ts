import { HEADER, isKeyOf, LOWERCASE_HEADER, type StepRecord } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { firstValue } from "../rules/header.ts";
import type { Ended } from "../rules/rollback.ts";
import type { Run } from "../rules/run.ts";
import { mayHaveBegun } from "../rules/run-lease.ts";
import type { Lease } from "../store/claims.ts";
import { IS_POST_RUN, transitionTo, underLease } from "../store/tables/due.ts";
import { type MessageRow, toMessage } from "../store/tables/rows.ts";
import { GREATEST, sql, type Tx } from "../store/tx.ts";

/** Reports of a run's end that nobody has begun to deliver. An alarm doesn't wait for what is still under way. */
const WAITING = sql`${IS_POST_RUN} AND status = 'scheduled' AND fence = 0 AND NOT EXISTS (SELECT 1 FROM messages
  JOIN due AS first ON first.message = messages.awaits WHERE messages.seq = due.message)`;

/** The row of a delivery with the entry that it delivers. */
interface InFlightRow extends MessageRow {
  readonly record: string | null;
  readonly entry_body: Uint8Array | null;
}

/**
 * Keeps the leases of those of a run's deliveries that are withdrawn while they are under way, and may be at a step
 * that is to be rolled back: its rollback isn't begun while the step itself is still being done.
 */
export async function markInFlight(tx: Tx, run: number): Promise<void> {
  const rows = await tx.all<InFlightRow>(
    sql`SELECT messages.*, entries.record, entries.body AS entry_body FROM due
      JOIN messages ON messages.seq = due.message LEFT JOIN entries ON entries.seq = messages.entry
      WHERE due.run = ${run} AND due.status = 'delivering' AND due.kind IN ('step', 'answer', 'call')`,
  );
  for (const row of rows) {
    if (mayBeUndone(row)) {
      await tx.run(
        sql`UPDATE due SET ${transitionTo("withdraw")}, since = at, at = NULL WHERE message = ${row.seq}`,
      );
    }
  }
}

/** A plan and a call say whether their step has a rollback. Which step any other delivery is at, isn't known here. */
function mayBeUndone(row: InFlightRow): boolean {
  if (row.kind === "call") {
    const name = LOWERCASE_HEADER.rollback;
    return toMessage(row).callback?.options?.forward.some(([forwarded]) => forwarded === name) ?? false;
  }
  if (!isKeyOf("plan", row.record ?? "")) return true;
  const plan = JSON.parse(toText(row.entry_body ?? new Uint8Array())) as StepRecord;
  return plan.rollback === true;
}

/** Defers a report until the deliveries of its run have ended, or their leases have run out. */
export async function deferReport(tx: Tx, run: number, report: number): Promise<void> {
  await tx.run(
    sql`UPDATE due SET at = ${GREATEST}(at, coalesce((SELECT max(since) FROM due
      WHERE run = ${run} AND status = 'withdrawn'), 0)) WHERE message = ${report} AND at IS NOT NULL`,
  );
}

/** A delivery that was withdrawn goes on under its lease. @returns whether anything waits for it */
export async function renewInFlight(tx: Tx, lease: Lease, until: number): Promise<boolean> {
  // A call is broken off instead.
  const row = await tx.one<{ run: number }>(
    sql`UPDATE due SET since = ${until} WHERE ${underLease(lease)} AND status = 'withdrawn' AND kind <> 'call'
      RETURNING run`,
  );
  if (!row) return false;
  await tx.run(sql`UPDATE due SET at = ${GREATEST}(at, ${until}) WHERE run = ${row.run} AND ${WAITING}`);
  return true;
}

/** A delivery that was withdrawn is over. What waited for it, and for no other, is due. @returns its run */
export async function completeInFlight(tx: Tx, lease: Lease): Promise<number | undefined> {
  const row = await tx.one<{ run: number }>(
    sql`DELETE FROM due WHERE ${underLease(lease)} AND status = 'withdrawn' RETURNING run`,
  );
  if (!row) return undefined;
  const others = await tx.one(sql`SELECT 1 FROM due WHERE run = ${row.run} AND status = 'withdrawn' LIMIT 1`);
  if (!others) {
    const reports = await tx.all<{ at: number }>(
      sql`UPDATE due SET at = ${GREATEST}((SELECT not_before FROM messages WHERE seq = due.message), ${tx.now})
        WHERE run = ${row.run} AND ${WAITING} RETURNING at`,
    );
    for (const { at } of reports) tx.wakeAt(at);
  }
  return row.run;
}

/**
 * Completes all in-flight deliveries after a crash of the process that made them.
 *
 * @param at when the reports that wait for them are due, in milliseconds since 1970
 */
export async function completeAllInFlight(tx: Tx, at: number): Promise<void> {
  await tx.run(
    sql`UPDATE due SET at = ${GREATEST}((SELECT not_before FROM messages WHERE seq = due.message), ${at})
      WHERE ${WAITING} AND run IN (SELECT run FROM due WHERE status = 'withdrawn')`,
  );
  await tx.run(sql`DELETE FROM due WHERE status = 'withdrawn'`);
}

/** Whether a run that has ended may have begun steps that have no record, and which, as far as its endpoint has said. */
export async function stepsUnderWay(
  tx: Tx,
  { key, inline, inProgress }: Run,
): Promise<Pick<Ended, "begun" | "underWay">> {
  if (!inline) return { begun: await lastHasBegun(tx, key) };
  const begun = mayHaveBegun(inProgress);
  if (!begun || !inProgress || inProgress.steps === "unknown") return { begun };
  return { begun, underWay: inProgress.steps };
}

/**
 * Whether a run that has ended may have begun a step that isn't on record: whether any attempt at the delivery that was
 * to go on with it came to an end that doesn't say what it did.
 */
async function lastHasBegun(tx: Tx, run: number): Promise<boolean> {
  const last = await tx.one<{ seq: number | null; fence: number | null }>(
    sql`SELECT messages.seq, coalesce(due.fence, messages.attempts) AS fence FROM entries
      LEFT JOIN messages ON messages.id = entries.message LEFT JOIN due ON due.message = messages.seq
      WHERE entries.run = ${run} AND entries.call_type <> 'toCallback' ORDER BY entries.position DESC LIMIT 1`,
  );
  // What isn't kept any more was delivered.
  if (!last || last.seq === null || last.fence === null) return true;
  if (last.fence === 0) return false;
  const starts = (
    await tx.all<{ headers: string }>(
      sql`SELECT headers FROM failures WHERE message = ${last.seq} AND status >= 300 AND headers IS NOT NULL`,
    )
  )
    .map(({ headers }) => JSON.parse(headers) as Record<string, string[]>)
    .filter((headers) => firstValue(headers, HEADER.sdkVersion) !== undefined);
  if (starts.length < last.fence) return true;
  const final = (await tx.one<{ headers: string | null }>(sql`SELECT headers FROM dlq WHERE run = ${run}`))
    ?.headers;
  const failed = stepIn(JSON.parse(final ?? "{}"));
  return starts.some((headers) => ![undefined, failed].includes(stepIn(headers)));
}

function stepIn(headers: Record<string, string[]>): string | undefined {
  return firstValue(headers, HEADER.errorStepName);
}
