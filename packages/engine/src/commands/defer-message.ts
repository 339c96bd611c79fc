import type { DestinationOrder } from "../store/claim-order.ts";
import { holdBackOn, letGoOn } from "../store/tables/due.ts";
import { SKIP_LOCKED, sql, strings, type Tx } from "../store/tx.ts";

/** The reason why a message is held back. */
export interface Deferral {
  readonly destination: string;
  /** The engine that lets the message go when the destination has room: its own limits have held it back. */
  readonly owner: string;
}

/** Holds a message back until its destination has room. It keeps its places in its queue and its flow control key. */
export async function deferMessage(tx: Tx, seq: number, { destination, owner }: Deferral): Promise<void> {
  tx.send(
    sql`UPDATE due SET ${holdBackOn("defer")}, destination = ${destination}, owner = ${owner} WHERE message = ${seq}`,
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
