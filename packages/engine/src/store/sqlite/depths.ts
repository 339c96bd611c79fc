import { sql, type Tx } from "../tx.ts";
import type { Depths } from "../upkeep.ts";
import { PARKED } from "./flow.ts";

/** Each of these is counted in an index. */
export async function depths(tx: Tx, now: number): Promise<Depths> {
  const count = async (where: string, ...values: number[]): Promise<number> =>
    (await tx.one<{ count: number }>(`SELECT count(*) AS count FROM messages WHERE ${where}`, ...values))
      ?.count ?? 0;
  const due = count("due_at <= ? AND state <> 'ACTIVE'", now);
  const waiting = count("due_at > ? AND due_at < ? AND state <> 'ACTIVE'", now, PARKED);
  const held = count("due_at = ?", PARKED);
  const letters =
    (await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM dlq WHERE removed = 0`))?.count ?? 0;
  return { due, waiting, held, deadLetters: letters };
}
