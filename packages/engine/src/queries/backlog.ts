import type { Backlog } from "../store/maintenance.ts";
import { type Sql, sql, type Tx } from "../store/tx.ts";

/** Each of these is counted in an index. */
export async function backlog(tx: Tx): Promise<Backlog> {
  const count = async (of: Sql): Promise<number> =>
    (await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM ${of}`))?.count ?? 0;
  return {
    due: await count(sql`due WHERE at <= ${tx.now} AND status <> 'delivering'`),
    waiting: await count(sql`due WHERE at > ${tx.now} AND status <> 'delivering'`),
    held: await count(sql`due WHERE status IN ('queued', 'throttled', 'deferred')`),
    deadLetters: await count(sql`dlq WHERE removed = 0`),
  };
}
