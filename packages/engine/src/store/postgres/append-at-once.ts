import { insertStepEntry, STEP_ENTRY } from "../tables/entries.ts";
import { HOLD, hold, knowsHistory, liveRunOf, mayAppend, type PlainAppend } from "../tables/run-leases.ts";
import { sql, type Tx } from "../tx.ts";
import { rowOf, toTable } from "./for-each.ts";
import { isFree } from "./locks.ts";

const EACH = rowOf(HOLD, "each");
const FOUND = sql`each.run`;

/** An entry with the place of its append, and its own among those of the append. */
const RECORD = { at: "number", nth: "number", ...STEP_ENTRY } as const;
const ENTRY = {
  ...rowOf(RECORD, "record"),
  run: sql`held.run`,
  position: sql`held.after + record."nth"`,
};

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
  const records = appends.flatMap(({ at, entries }) =>
    entries.map((entry, place) => ({ at, nth: place + 1, ...entry })),
  );
  const leases = appends.map(({ entries: _, ...lease }) => lease);
  const rows = await tx.all<{ readonly at: number }>(
    // The conditions on the history are of `found`: of the leases they would be looked at for each run in progress.
    sql`WITH found AS MATERIALIZED (
        SELECT each.*, ${liveRunOf(EACH)} AS run FROM ${toTable(HOLD, leases, "each")} WHERE ${isFree("run", EACH.id)}
      ), held AS (
        ${hold(EACH)} FROM found AS each WHERE ${mayAppend(EACH, FOUND)} AND ${knowsHistory(EACH, FOUND)}
        RETURNING each.at, each.after, each.run
      ), noted AS (
        UPDATE runs SET inline = 1 FROM held WHERE runs.key = held.run AND runs.inline = 0
      ), added AS (
        ${insertStepEntry(ENTRY, tx.now)} FROM held JOIN ${toTable(RECORD, records, "record")} ON record.at = held.at
        ORDER BY record.at, record.nth
      ) SELECT at FROM held`,
  );
  return new Set(rows.map(({ at }) => at));
}
