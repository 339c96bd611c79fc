import { STATUS } from "../rules/message-status.ts";
import type { Lease } from "../store/claims.ts";
import { isUnder, statusOn } from "../store/tables/due.ts";
import { sql, type Tx } from "../store/tx.ts";
import { endAllHolds, endHold } from "./hold-run.ts";
import { completeAllInFlight, completeInFlight } from "./in-flight.ts";
import { releaseEveryFlow, releaseThrottled } from "./release-throttled.ts";

/** Gives leases back without an attempt: their messages are due now. */
export async function releaseLeases(tx: Tx, leases: readonly Lease[]): Promise<void> {
  for (const lease of leases) {
    const row = await tx.one<{ flow_key: string | null; run: number | null }>(
      sql`UPDATE due SET ${statusOn("release")}, at = ${tx.now}, owner = NULL
        WHERE ${isUnder(lease)} AND status = ${STATUS.delivering} RETURNING flow_key, run`,
    );
    if (!row) {
      await completeInFlight(tx, lease);
      continue;
    }
    await endHold(tx, { run: row.run, seq: lease.seq });
    await releaseThrottled(tx, row.flow_key);
    tx.wakeAt(tx.now);
  }
}

/**
 * Gives every lease back, after the process that held them has died.
 *
 * @param at when their messages are due, in milliseconds since 1970
 */
export async function releaseAllLeases(tx: Tx, at: number): Promise<void> {
  await tx.run(
    sql`UPDATE due SET ${statusOn("release")}, at = 0, since = NULL, destination = NULL
      WHERE status IN (${STATUS.deferred}, ${STATUS.ready})`,
  );
  // Before the leases end: an endpoint that is still at work keeps its place in its flow control key.
  await releaseEveryFlow(tx);
  await endAllHolds(tx);
  await tx.run(
    sql`UPDATE due SET ${statusOn("release")}, at = ${at}, owner = NULL WHERE status = ${STATUS.delivering}`,
  );
  await completeAllInFlight(tx, at);
}
