import type { LaneOrder } from "../lanes.ts";
import { sql, strings, type Tx } from "../tx.ts";
import { PARKED } from "./flow.ts";

/**
 * What was admitted by everything else, but whose destination has no room now, waits as if it were under way: it keeps
 * the place that its queue and its key gave it.
 */
export async function setAside(tx: Tx, seq: number, lane: string): Promise<void> {
  await tx.run(
    sql`UPDATE messages SET state = 'ACTIVE', due_at = ${PARKED}, lane = ${lane} WHERE seq = ${seq}`,
  );
}

/** Makes due, before all else, what waits in lanes that have room: `limit` at most. */
export async function openLanes(tx: Tx, { open }: LaneOrder, limit: number): Promise<void> {
  let left = limit;
  for (const [lane, places] of open) {
    const changes = await tx.run(sql`UPDATE messages SET due_at = 0, lane = NULL WHERE seq IN
         (SELECT seq FROM messages WHERE lane = ${lane} AND due_at = ${PARKED} ORDER BY seq LIMIT ${Math.min(places, left)})`);
    left -= changes;
  }
}

/** Of each lane, whether messages wait there. */
export async function lookAt(tx: Tx, lanes: Iterable<string>): Promise<Map<string, boolean>> {
  const names = [...lanes];
  if (names.length === 0) return new Map();
  const rows = await tx.all<{ lane: string }>(
    sql`SELECT value AS lane FROM (${strings(names)}) AS lanes
      WHERE EXISTS (SELECT 1 FROM messages WHERE lane = value AND due_at = ${PARKED})`,
  );
  const waiting = new Set(rows.map(({ lane }) => lane));
  return new Map(names.map((lane) => [lane, waiting.has(lane)]));
}
