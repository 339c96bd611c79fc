import type { LaneOrder } from "../lanes.ts";
import type { Database } from "./database.ts";
import { PARKED } from "./flow.ts";

/**
 * What was admitted by everything else, but whose destination has no room now, waits as if it were under way: it keeps
 * the place that its queue and its key gave it.
 */
export function setAside(db: Database, seq: number, lane: string): void {
  db.run("UPDATE messages SET state = 'ACTIVE', due_at = ?, lane = ? WHERE seq = ?", PARKED, lane, seq);
}

/** Makes due, before all else, what waits in lanes that have room: `limit` at most. */
export function openLanes(db: Database, { open }: LaneOrder, limit: number): void {
  let left = limit;
  for (const [lane, places] of open) {
    const { changes } = db.run(
      `UPDATE messages SET due_at = 0, lane = NULL WHERE seq IN
         (SELECT seq FROM messages WHERE lane = ? AND due_at = ${PARKED} ORDER BY seq LIMIT ?)`,
      lane,
      Math.min(places, left),
    );
    left -= changes;
  }
}

/** Of each lane, whether messages wait there. */
export function lookAt(db: Database, lanes: Iterable<string>): Map<string, boolean> {
  const waits = (lane: string): boolean =>
    db.get(`SELECT 1 FROM messages WHERE lane = ? AND due_at = ${PARKED} LIMIT 1`, lane) !== undefined;
  return new Map([...lanes].map((lane) => [lane, waits(lane)]));
}
