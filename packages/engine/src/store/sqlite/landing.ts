import { HEADER, type StepRecord } from "@perdure/core/protocol";
import { firstValue } from "../../domain/header.ts";
import type { Lease } from "../store.ts";
import { sql, type Tx } from "../tx.ts";
import { IS_AWAITING } from "./rollbacks.ts";
import { type MessageRow, toMessage } from "./rows.ts";

/** Reports of a run's end that nobody has begun to deliver. An alarm doesn't wait for what is still under way. */
const WAITING = `purpose IN ('failure', 'rollback', 'cancel') AND state = 'CREATED' AND fence = 0
  AND due_at IS NOT NULL AND NOT ${IS_AWAITING}`;

/**
 * Remembers which of a run's deliveries are under way as they are withdrawn, and may be at a step that is to be rolled
 * back: that isn't begun while the step itself is still being done.
 */
export async function markFlights(tx: Tx, run: number): Promise<void> {
  const rows = await tx.all<
    MessageRow & { readonly record: string | null; readonly entry_body: string | null }
  >(sql`SELECT messages.*, entries.record, entries.body AS entry_body
     FROM messages LEFT JOIN entries ON entries.seq = messages.entry
     WHERE messages.run = ${run} AND messages.state <> 'DELIVERED' AND messages.state = 'ACTIVE'
       AND purpose IN ('step', 'answer', 'call')`);
  for (const row of rows)
    if (mayBeUndone(row)) await tx.run(sql`UPDATE messages SET landing = due_at WHERE seq = ${row.seq}`);
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
export async function holdReport(tx: Tx, run: number, report: number): Promise<void> {
  await tx.run(sql`UPDATE messages SET due_at = max(due_at, coalesce((SELECT max(landing) FROM messages
       WHERE run = ${run} AND landing IS NOT NULL), 0)) WHERE seq = ${report}`);
}

/** A delivery that was withdrawn goes on under its lease. @returns whether anything waits for it */
export async function renewFlight(tx: Tx, { seq, messageId, fence }: Lease, until: number): Promise<boolean> {
  // A call is broken off instead.
  const row = await tx.one<{
    run: number;
  }>(sql`UPDATE messages SET landing = ${until} WHERE seq = ${seq} AND id = ${messageId} AND fence = ${fence} AND landing IS NOT NULL
       AND purpose <> 'call' RETURNING run`);
  if (!row) return false;
  await tx.run(sql`UPDATE messages SET due_at = max(due_at, ${until}) WHERE run = ${row.run} AND ${WAITING}`);
  return true;
}

/** A delivery that was withdrawn is over. What waited for it, and for no other, is due. @returns its run */
export async function land(
  tx: Tx,
  { seq, messageId, fence }: Lease,
  now: number,
): Promise<number | undefined> {
  const row = await tx.one<{
    run: number;
  }>(sql`UPDATE messages SET landing = NULL WHERE seq = ${seq} AND id = ${messageId} AND fence = ${fence} AND landing IS NOT NULL
     RETURNING run`);
  if (!row) return undefined;
  if (!(await tx.one(sql`SELECT 1 FROM messages WHERE run = ${row.run} AND landing IS NOT NULL LIMIT 1`))) {
    const reports = await tx.all<{ due_at: number }>(
      sql`UPDATE messages SET due_at = max(not_before, ${now}) WHERE run = ${row.run} AND ${WAITING} RETURNING due_at`,
    );
    for (const { due_at } of reports) tx.wakeAt(due_at);
  }
  return row.run;
}

/** Nobody is left who could tell of any landing. */
export async function landAll(tx: Tx): Promise<void> {
  await tx.run(sql`UPDATE messages SET due_at = not_before WHERE ${WAITING}
       AND run IN (SELECT run FROM messages WHERE landing IS NOT NULL)`);
  await tx.run(sql`UPDATE messages SET landing = NULL WHERE landing IS NOT NULL`);
}

/**
 * Whether a run that has ended may have begun a step that isn't on record: whether any attempt at the delivery that was
 * to go on with it came to an end that doesn't say what it did.
 */
export async function hasBegun(tx: Tx, run: number): Promise<boolean> {
  const last = await tx.one<{
    seq: number | null;
    fence: number | null;
  }>(sql`SELECT messages.seq, messages.fence FROM entries LEFT JOIN messages ON messages.id = entries.message
     WHERE entries.run = ${run} AND entries.call_type <> 'toCallback' ORDER BY entries.seq DESC LIMIT 1`);
  // What isn't kept any more was delivered.
  if (!last || last.seq === null || last.fence === null) return true;
  if (last.fence === 0) return false;
  const told = (
    await tx.all<{ headers: string }>(
      sql`SELECT headers FROM failures WHERE message = ${last.seq} AND status >= 300 AND headers IS NOT NULL`,
    )
  )
    .map(({ headers }) => JSON.parse(headers) as Record<string, string[]>)
    .filter((headers) => firstValue(headers, HEADER.sdkVersion) !== undefined);
  if (told.length < last.fence) return true;
  const final = (await tx.one<{ headers: string | null }>(sql`SELECT headers FROM dlq WHERE run = ${run}`))
    ?.headers;
  const failed = stepIn(JSON.parse(final ?? "{}"));
  return told.some((headers) => ![undefined, failed].includes(stepIn(headers)));
}

function stepIn(headers: Record<string, string[]>): string | undefined {
  return firstValue(headers, HEADER.errorStepName);
}
