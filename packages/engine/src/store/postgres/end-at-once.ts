import type { MessageKind } from "../../rules/message.ts";
import { type Outcome, STATUS } from "../../rules/message-status.ts";
import type { RunState } from "../../rules/run.ts";
import { lastPosition } from "../tables/entries.ts";
import { PLAIN_END, type PlainEnd } from "../tables/plain-ends.ts";
import { IS_LIVE } from "../tables/runs.ts";
import { IS_OPEN } from "../tables/waiters.ts";
import { constants, sql, type Tx } from "../tx.ts";
import { rowOf, toTable } from "./for-each.ts";
import { isFree } from "./locks.ts";
import { HAS_NEW_KEYS, insertRecords, newRecords } from "./new-records.ts";

const LOCK = { at: "number", id: "string" } as const;
const EACH = rowOf(PLAIN_END, "each");
const RUN = sql`each.run`;

const SUCCESS = constants<RunState>("RUN_SUCCESS");
const DELIVERED = constants<Outcome>("DELIVERED");
const STEP = constants<MessageKind>("step");

/** The end of a run that one caller waits for. */
export interface EndRequest {
  readonly end: PlainEnd;
  /** Records and counts it. @param createdAt when the run was created, in milliseconds since 1970 */
  readonly note: (tx: Tx, createdAt: number) => void;
}

/**
 * Ends runs as a settlement does, by one statement for all of them. It leaves out a run whose lock another transaction has, and one
 * of which anything else is to be decided.
 *
 * A statement sees the tables as they are when it begins. So the locks are taken by an earlier one, which leaves the places of
 * those that were free in a setting of the transaction: nothing waits for its answer.
 *
 * @returns for each request whether its run has ended
 */
export async function endTogether(tx: Tx, requests: readonly EndRequest[]): Promise<boolean[]> {
  const ends = requests
    .map(({ end: { entries: _, ...end } }, at) => ({ at, ...end }))
    // In the order in which others lock several messages.
    .toSorted((one, other) => one.seq - other.seq);
  const locks = ends.map(({ at, id }) => ({ at, id }));
  tx.send(
    sql`SELECT set_config('perdure.locked', coalesce(json_agg(at), '[]')::text, true)
      FROM ${toTable(LOCK, locks, "each")} WHERE ${isFree("run", EACH.id)}`,
  );
  const rows = await tx.all<{ readonly at: number; readonly created_at: number }>(
    // Each condition is a column of `found`, by a query for one row: as a join it may read all waits of all runs.
    sql`WITH found AS MATERIALIZED (
        SELECT each.*,
          (SELECT 1 FROM due JOIN messages ON messages.seq = due.message WHERE due.message = each.seq AND due.fence = each.fence
            AND due.status = ${STATUS.delivering} AND due.kind = ${STEP} AND due.place IS NULL
            AND messages.id = each.message AND messages.schedule IS NULL) IS NOT NULL
          AND (SELECT 1 FROM runs WHERE key = ${RUN} AND ${IS_LIVE} AND invoker IS NULL
            AND (each.changes = 0 OR runs.capabilities = each.capabilities)) IS NOT NULL
          AND (SELECT 1 FROM due WHERE due.run = ${RUN} AND due.message <> each.seq LIMIT 1) IS NULL
          AND (SELECT 1 FROM waiters WHERE waiters.run = ${RUN} AND ${IS_OPEN} LIMIT 1) IS NULL
          AND (SELECT 1 FROM events WHERE events.run = ${RUN} LIMIT 1) IS NULL
          AND (SELECT 1 FROM webhooks WHERE webhooks.run = ${RUN} LIMIT 1) IS NULL
          AND ${lastPosition(RUN)} = ${EACH.after} AS fits
        FROM ${toTable(PLAIN_END, ends, "each")} WHERE at IN
          (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(current_setting('perdure.locked') AS json)) AS locked (value))
      ), records AS MATERIALIZED (
        ${newRecords(requests.map(({ end }) => end.entries))}
      ), held AS (
        DELETE FROM run_leases USING found AS each WHERE run_leases.run = ${RUN} AND run_leases.number = each.lease
          AND holder = each.seq AND coalesce(invocation, each.name) = each.name AND each.fits AND ${HAS_NEW_KEYS}
        RETURNING each.*
      ), added AS (
        ${insertRecords(tx.now)}
      ), delivered AS (
        UPDATE messages SET outcome = ${DELIVERED}, delete_after = ${tx.now}, retried = due.retried, attempts = due.fence
          FROM held JOIN due ON due.message = held.seq WHERE messages.seq = held.seq
      ), ended AS (
        UPDATE runs SET state = ${SUCCESS}, completed_at = ${tx.now}, response = held.response, inline = 1,
          capabilities = coalesce(held.capabilities, runs.capabilities), identified = greatest(runs.identified, held.identified)
          FROM held WHERE runs.key = held.run RETURNING held.at, runs.created_at
      ), gone AS (
        DELETE FROM due USING held WHERE due.message = held.seq
      ) SELECT at, created_at FROM ended`,
  );
  const created = new Map(rows.map(({ at, created_at }) => [at, created_at]));
  return requests.map(({ note }, at) => {
    const createdAt = created.get(at);
    if (createdAt !== undefined) note(tx, createdAt);
    return createdAt !== undefined;
  });
}
