import type { DestinationOrder } from "../store/claim-order.ts";
import { holdBackOn, letGoOn } from "../store/tables/due.ts";
import { forEach, SKIP_LOCKED, sql, strings, type Tx } from "../store/tx.ts";

/** A message that is held back, and the destination that has no room for it. */
export interface Deferral {
  readonly message: number;
  readonly destination: string;
}

/**
 * Holds messages back until their destinations have room. They keep their places in their queues and their flow control keys.
 *
 * @param owner the engine that lets them go when a destination has room: its own limits have held them back
 */
export function deferMessages(tx: Tx, deferrals: readonly Deferral[], owner: string): void {
  tx.sendForEach(
    forEach({ message: "number", destination: "string" }, deferrals, (row, from) => {
      return sql`UPDATE due SET ${holdBackOn("defer")}, destination = ${row.destination}, owner = ${owner}${from}
        WHERE due.message = ${row.message}`;
    }),
  );
}

/** Makes messages due whose destinations have room again: `limit` at most. */
export async function releaseDeferred(tx: Tx, { open }: DestinationOrder, limit: number): Promise<void> {
  let left = limit;
  for (const [destination, slots] of open) {
    left -= await tx.run(
      // A subquery of its own would be read again for each row in some plans, and lock other messages each time.
      sql`WITH waiting AS MATERIALIZED (SELECT message FROM due WHERE destination = ${destination}
          ORDER BY message LIMIT ${Math.min(slots, left)} ${SKIP_LOCKED})
        UPDATE due SET ${letGoOn("undefer")}, destination = NULL, owner = NULL
          WHERE message IN (SELECT message FROM waiting)`,
    );
  }
}

/** For each destination, whether messages wait for it. */
export async function hasDeferred(tx: Tx, destinations: Iterable<string>): Promise<Map<string, boolean>> {
  const names = [...destinations];
  if (names.length === 0) return new Map();
  const rows = await tx.all<{ destination: string }>(
    sql`SELECT value AS destination FROM (${strings(names)}) AS destinations
      WHERE EXISTS (SELECT 1 FROM due WHERE destination = value)`,
  );
  const waiting = new Set(rows.map(({ destination }) => destination));
  return new Map(names.map((destination) => [destination, waiting.has(destination)]));
}

/** Deferred messages that an engine looks at for destinations of which it doesn't know. */
const MAX_LOOKED_AT = 200;

/** Some of the destinations for which messages wait, whichever engine has held them back: another one may have room. */
export async function deferredDestinations(tx: Tx): Promise<string[]> {
  const rows = await tx.all<{ destination: string }>(
    sql`SELECT DISTINCT destination FROM
      (SELECT destination FROM due WHERE destination IS NOT NULL LIMIT ${MAX_LOOKED_AT}) AS waiting`,
  );
  return rows.map(({ destination }) => destination);
}
