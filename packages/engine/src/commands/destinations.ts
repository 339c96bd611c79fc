import type { DestinationOrder } from "../store/claim-order.ts";
import { suspend, transitionTo } from "../store/tables/due.ts";
import { sql, strings, type Tx } from "../store/tx.ts";

/** Defers a message whose destination has no free slot. The message keeps its places in its queue and under its flow control key. */
export async function defer(tx: Tx, seq: number, destination: string): Promise<void> {
  await tx.run(sql`UPDATE due SET ${suspend("defer")}, destination = ${destination} WHERE message = ${seq}`);
}

/** Releases deferred messages of destinations with free slots, `limit` at most: the next claim takes them. */
export async function releaseDeferred(tx: Tx, { open }: DestinationOrder, limit: number): Promise<void> {
  let left = limit;
  for (const [destination, slots] of open) {
    left -= await tx.run(
      sql`UPDATE due SET ${transitionTo("undefer")}, at = since, since = NULL, destination = NULL WHERE message IN
        (SELECT message FROM due WHERE destination = ${destination} ORDER BY message LIMIT ${Math.min(slots, left)})`,
    );
  }
}

/** Returns for each destination whether messages wait for it. */
export async function stillWaiting(tx: Tx, destinations: Iterable<string>): Promise<Map<string, boolean>> {
  const names = [...destinations];
  if (names.length === 0) return new Map();
  const rows = await tx.all<{ destination: string }>(
    sql`SELECT value AS destination FROM (${strings(names)}) AS destinations
      WHERE EXISTS (SELECT 1 FROM due WHERE destination = value)`,
  );
  const waiting = new Set(rows.map(({ destination }) => destination));
  return new Map(names.map((destination) => [destination, waiting.has(destination)]));
}
