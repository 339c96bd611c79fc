import { type Sql, sql, type Tx } from "../tx.ts";
import type { Depths } from "../upkeep.ts";
import { PARKED } from "./flow.ts";

/** Each of these is counted in an index. */
export async function depths(tx: Tx, now: number): Promise<Depths> {
  const count = async (of: Sql): Promise<number> =>
    (await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM ${of}`))?.count ?? 0;
  return {
    due: await count(sql`messages WHERE due_at <= ${now} AND state <> 'ACTIVE'`),
    waiting: await count(sql`messages WHERE due_at > ${now} AND due_at < ${PARKED} AND state <> 'ACTIVE'`),
    held: await count(sql`messages WHERE due_at = ${PARKED}`),
    deadLetters: await count(sql`dlq WHERE removed = 0`),
  };
}
