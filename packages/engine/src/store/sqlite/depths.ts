import type { Depths } from "../upkeep.ts";
import type { Database } from "./database.ts";
import { PARKED } from "./flow.ts";

/** Each of these is counted in an index. */
export function depths(db: Database, now: number): Depths {
  const count = (where: string, ...values: number[]): number =>
    db.get<{ count: number }>(`SELECT count(*) AS count FROM messages WHERE ${where}`, ...values)?.count ?? 0;
  const due = count("due_at <= ? AND state <> 'ACTIVE'", now);
  const waiting = count("due_at > ? AND due_at < ? AND state <> 'ACTIVE'", now, PARKED);
  const held = count("due_at = ?", PARKED);
  const letters =
    db.get<{ count: number }>("SELECT count(*) AS count FROM dlq WHERE removed = 0")?.count ?? 0;
  return { due, waiting, held, deadLetters: letters };
}
