import { IS_POST_RUN, IS_UNFINISHED } from "../store/tables/due.ts";
import { IS_LIVE } from "../store/tables/runs.ts";
import { IS_OPEN } from "../store/tables/waiters.ts";
import { type Sql, sql, type Tx } from "../store/tx.ts";

/**
 * The conditions under which a live run still has something pending, one for each table. A run with nothing
 * pending has stalled, and the end of a run withdraws all of it.
 *
 * | pending | table | until |
 * | --- | --- | --- |
 * | `delivery` | `due` | the endpoint has answered a delivery, or the third party a call |
 * | `wait` | `waiters` | its event comes, or its time is over |
 * | `child` | `runs` | the run that it has invoked ends |
 */
export const PENDING = {
  delivery: sql`${IS_UNFINISHED} AND NOT ${IS_POST_RUN}`,
  wait: IS_OPEN,
  child: IS_LIVE,
} as const satisfies Readonly<Record<string, Sql>>;

/** Whether anything of a run is pending, other than the message with the key `except`. */
export async function hasPending(tx: Tx, run: number, except = 0): Promise<boolean> {
  const found = await tx.one(
    sql`SELECT 1 AS pending
      WHERE EXISTS (SELECT 1 FROM due WHERE run = ${run} AND message <> ${except} AND ${PENDING.delivery})
        OR EXISTS (SELECT 1 FROM waiters WHERE run = ${run} AND ${PENDING.wait})
        OR EXISTS (SELECT 1 FROM runs WHERE parent = ${run} AND ${PENDING.child})`,
  );
  return found !== undefined;
}
