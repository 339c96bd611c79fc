import type { LaneOrder } from "../store/lanes.ts";
import { happens, suspend } from "../store/tables/due.ts";
import { sql, strings, type Tx } from "../store/tx.ts";

/** What was admitted by everything else, but whose destination has no room now, keeps what its queue and its key gave it. */
export async function setAside(tx: Tx, seq: number, lane: string): Promise<void> {
  await tx.run(sql`UPDATE due SET ${suspend("defer")}, destination = ${lane} WHERE message = ${seq}`);
}

/** Has the next claim take what waits for destinations that have room: `limit` at most. */
export async function openLanes(tx: Tx, { open }: LaneOrder, limit: number): Promise<void> {
  let left = limit;
  for (const [lane, places] of open) {
    left -= await tx.run(
      sql`UPDATE due SET ${happens("undefer")}, at = since, since = NULL, destination = NULL WHERE message IN
        (SELECT message FROM due WHERE destination = ${lane} ORDER BY message LIMIT ${Math.min(places, left)})`,
    );
  }
}

/** Of each lane, whether messages wait there. */
export async function lookAt(tx: Tx, lanes: Iterable<string>): Promise<Map<string, boolean>> {
  const names = [...lanes];
  if (names.length === 0) return new Map();
  const rows = await tx.all<{ lane: string }>(
    sql`SELECT value AS lane FROM (${strings(names)}) AS lanes
      WHERE EXISTS (SELECT 1 FROM due WHERE destination = value)`,
  );
  const waiting = new Set(rows.map(({ lane }) => lane));
  return new Map(names.map((lane) => [lane, waiting.has(lane)]));
}
