import type { Backlog } from "../store/maintenance.ts";
import { IS_HELD, WAITS_FOR_CLAIM } from "../store/tables/due.ts";
import { type Sql, sql, type Tx } from "../store/tx.ts";

/**
 * Counts the messages by the reason for which they wait, and the dead letters. The database counts each
 * number in an index.
 */
export async function backlog(tx: Tx): Promise<Backlog> {
  const count = async (of: Sql): Promise<number> =>
    (await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM ${of}`))?.count ?? 0;
  return {
    due: await count(sql`due WHERE at <= ${tx.now} AND ${WAITS_FOR_CLAIM}`),
    waiting: await count(sql`due WHERE at > ${tx.now} AND ${WAITS_FOR_CLAIM}`),
    held: await count(sql`due WHERE ${IS_HELD}`),
    deadLetters: await count(sql`dlq WHERE removed = 0`),
  };
}
