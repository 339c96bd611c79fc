import { lastPosition } from "../tables/entries.ts";
import { hold, isLiveRunOf, LEASE, mayAppend, type PlainAppend } from "../tables/run-leases.ts";
import { sql, type Tx } from "../tx.ts";
import { rowOf, toTable } from "./for-each.ts";
import { isFree } from "./locks.ts";
import { HAS_NEW_KEYS, insertRecords, newRecords } from "./new-records.ts";

const EACH = rowOf(LEASE, "each");
const RUN = sql`each.run`;

/** Appends that one caller waits for. */
export interface AppendRequest {
  readonly appends: readonly PlainAppend[];
  /** Records and counts what has happened. */
  readonly note: (tx: Tx, stored: ReadonlySet<number>) => void;
}

/** Stores the appends of several requests. @returns for each request the places of the appends that are stored */
export async function appendTogether(tx: Tx, requests: readonly AppendRequest[]): Promise<Set<number>[]> {
  const all = requests.flatMap(({ appends }, request) => appends.map((append) => ({ request, append })));
  const stored = await appendAtOnce(
    tx,
    all.map(({ append }, at) => ({ ...append, at })),
  );
  const kept = all.filter((_, at) => stored.has(at));
  return requests.map(({ note }, request) => {
    const own = new Set(kept.flatMap((one) => (one.request === request ? one.append.at : [])));
    note(tx, own);
    return own;
  });
}

/**
 * Stores the records of invocations, those of each run all or none, by one statement that needs no transaction around it: measured,
 * a run of ten steps waits half as long for its database.
 *
 * It does nothing for a run whose lease doesn't hold, whose history has other entries, or whose lock another transaction has. The
 * statement sees the tables as they are when it begins, and not as the last owner of a lock has left them. What it reads of a lease
 * is read again once its row is free, and an entry that has come since has the position of the first of these: then the
 * statement fails.
 *
 * @param appends each for another run
 * @returns the places of the appends that are stored
 */
async function appendAtOnce(tx: Tx, appends: readonly PlainAppend[]): Promise<Set<number>> {
  const leases = appends.map(({ entries: _, ...lease }) => lease);
  const rows = await tx.all<{ readonly at: number }>(
    // The conditions on the history are of `found`: of the leases they would be looked at for each run in progress.
    sql`WITH found AS MATERIALIZED (
        SELECT each.*, live.run, live.inline FROM ${toTable(LEASE, leases, "each")}
          CROSS JOIN LATERAL (SELECT key AS run, inline FROM runs WHERE ${isLiveRunOf(EACH)} LIMIT 1) AS live
          WHERE ${isFree("run", EACH.id)}
      ), records AS MATERIALIZED (
        ${newRecords(appends.map(({ entries }) => entries))}
      ), held AS (
        ${hold(EACH)} FROM found AS each
          WHERE ${mayAppend(EACH, RUN)} AND ${lastPosition(RUN)} = ${EACH.after} AND ${HAS_NEW_KEYS}
        RETURNING each.at, each.run, each.inline
      ), noted AS (
        UPDATE runs SET inline = 1 FROM held WHERE runs.key = held.run AND held.inline = 0
      ), added AS (
        ${insertRecords(tx.now)}
      ) SELECT at FROM held`,
  );
  return new Set(rows.map(({ at }) => at));
}
