import { STATUS } from "../rules/message-status.ts";
import type { Lease } from "../store/claims.ts";
import type { Driver } from "../store/driver.ts";
import { isUnder, letGoOn, statusOn } from "../store/tables/due.ts";
import { lockAll, SKIP_LOCKED, type Sql, sql, type Tx } from "../store/tx.ts";
import { endAllHolds, endHold } from "./hold-run.ts";
import { completeAllInFlight, completeInFlight } from "./in-flight.ts";
import { releaseEveryFlow, releaseThrottled } from "./release-throttled.ts";

/** Leases that one look at a dead engine finds at most. */
const MAX_FOUND = 200;

/**
 * Gives back leases of an engine that has died, each in a transaction of its own: their messages are due now.
 *
 * @param owner the engine's name in its leases
 * @returns whether it had any
 */
export async function releaseLeasesOf(driver: Driver, owner: string): Promise<boolean> {
  const isOwn = sql`due.owner = ${owner}`;
  const deferred = await driver.write(async (tx) => {
    const changes = await tx.run(
      sql`UPDATE due SET ${letGoOn("undefer")}, destination = NULL, owner = NULL WHERE message IN
        (SELECT message FROM due WHERE ${isOwn} AND status = ${STATUS.deferred} ${SKIP_LOCKED})`,
    );
    if (changes > 0) tx.wakeAt(tx.now);
    return changes;
  });
  const leases = await driver.write((tx) =>
    leasesWhere(
      tx,
      sql`${isOwn} AND due.status IN (${STATUS.delivering}, ${STATUS.withdrawn}) LIMIT ${MAX_FOUND}`,
    ),
  );
  await Promise.all(leases.map((lease) => driver.write((tx) => releaseLeases(tx, [lease]))));
  return deferred > 0 || leases.length > 0;
}

/** The leases of an engine's deliveries. */
export function leasesOf(tx: Tx, owner: string): Promise<Lease[]> {
  return leasesWhere(tx, sql`due.owner = ${owner} AND due.status = ${STATUS.delivering}`);
}

async function leasesWhere(tx: Tx, where: Sql): Promise<Lease[]> {
  const rows = await tx.all<LeaseRow>(
    sql`SELECT messages.seq, messages.id, due.run, runs.id AS run_id, due.fence, due.flow_key,
        coalesce(due.queue, places.queue) AS queue
      FROM due JOIN messages ON messages.seq = due.message LEFT JOIN runs ON runs.key = due.run
        LEFT JOIN places ON places.message = due.place
      WHERE ${where}`,
  );
  return rows.map(toLease);
}

interface LeaseRow {
  readonly seq: number;
  readonly id: string;
  readonly run: number | null;
  readonly run_id: string | null;
  readonly fence: number;
  readonly queue: string | null;
  readonly flow_key: string | null;
}

function toLease({ seq, id, run, run_id, fence, queue, flow_key }: LeaseRow): Lease {
  return { seq, messageId: id, run, runId: run_id ?? undefined, fence, queue, flowKey: flow_key };
}

/** Gives leases back without an attempt: their messages are due now. */
export async function releaseLeases(tx: Tx, leases: readonly Lease[]): Promise<void> {
  await lockAll(tx, {
    run: leases.map(({ runId }) => runId),
    // A queue that is being deleted leaves the messages alone that are being delivered.
    queue: leases.map(({ queue }) => queue),
    flow: leases.map(({ flowKey }) => flowKey),
  });
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
