import type { Expiry } from "../rules/retention.ts";
import { USED_AT_PRECISION } from "../store/tables/flows.ts";
import { sql, type Tx } from "../store/tx.ts";

/**
 * Deletes the flow control keys that were last used, and whose period ended, before the log's retention began. Paused and
 * pinned keys stay: a person has set them.
 *
 * @returns how many keys it has looked at: `limit` at most
 */
export async function sweepFlows(tx: Tx, { logs: until, now }: Expiry, limit: number): Promise<number> {
  const rows = await tx.all<{ key: string; live: number }>(
    sql`SELECT key, (SELECT count(*) FROM (SELECT 1 FROM due WHERE flow_key = flows.key LIMIT 1) AS one) AS live
     FROM flows WHERE used_at <= ${until - USED_AT_PRECISION} AND began_at + period <= ${until}
       AND paused = 0 AND pinned_parallelism = 0 AND pinned_rate = 0
     ORDER BY used_at LIMIT ${limit}`,
  );
  // While the transaction has a key's lock, nothing begins to use the key.
  const taken = await tx.tryLock("flow", ...rows.map(({ key }) => key));
  for (const { key, live } of rows.filter((_, at) => taken[at])) {
    // The next sweep of a key with messages comes only after as long again.
    if (live === 1) await tx.run(sql`UPDATE flows SET used_at = ${now} WHERE key = ${key}`);
    else
      await tx.run(
        sql`DELETE FROM flows WHERE key = ${key} AND used_at <= ${until - USED_AT_PRECISION}
          AND NOT EXISTS (SELECT 1 FROM due WHERE flow_key = ${key})`,
      );
  }
  return rows.length;
}
