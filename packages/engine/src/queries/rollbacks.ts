import { keyOf, type RollbackRecord, stepOfKey } from "@perdure/core/protocol";
import type { MessageKind } from "../rules/message.ts";
import { IS_POST_RUN } from "../store/tables/due.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { sql, type Tx } from "../store/tx.ts";

/** The recorded rollbacks of a run, in the order in which they were recorded. */
export async function rollbacksOf(tx: Tx, run: number): Promise<RollbackRecord[]> {
  const rows = await tx.many<{ record: string }>(
    sql`SELECT record FROM rollbacks WHERE run = ${run} ORDER BY seq`,
  );
  return mapInSlices(rows, ({ record }) => JSON.parse(record) as RollbackRecord);
}

/** The planned steps of a run whose delivery has begun, whether or not the endpoint has finished it. */
export async function startedSteps(tx: Tx, run: number): Promise<number[]> {
  const rows = await tx.many<{ record: string }>(
    // A message that no longer exists was delivered.
    sql`SELECT entries.record FROM entries LEFT JOIN messages ON messages.id = entries.message
      LEFT JOIN due ON due.message = messages.seq
      WHERE entries.run = ${run} AND entries.record LIKE ${keyOf("plan", "%")}
        AND coalesce(due.fence, messages.attempts, 1) > 0 ORDER BY entries.position`,
  );
  return rows.map(({ record }) => Number(stepOfKey(record)));
}

/** Whether a message that asks the workflow for a run's rollbacks is still pending. */
export async function isRollingBack(tx: Tx, run: number): Promise<boolean> {
  const kind: MessageKind = "rollback";
  const found = await tx.one(sql`SELECT 1 FROM due WHERE run = ${run} AND kind = ${kind} LIMIT 1`);
  return found !== undefined;
}

/** Whether any message that follows a run's end is still pending. */
export async function isReporting(tx: Tx, run: number): Promise<boolean> {
  const found = await tx.one(sql`SELECT 1 FROM due WHERE run = ${run} AND ${IS_POST_RUN} LIMIT 1`);
  return found !== undefined;
}
