import type { FailedDelivery } from "../rules/settlement.ts";
import type { Settled } from "../store/claims.ts";
import { statusOn } from "../store/tables/due.ts";
import { logState } from "../store/tables/logs.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { startAlarm } from "./alarms.ts";
import { recordFailure } from "./record-failure.ts";

/** Records a failed attempt of a message, and when the next one begins. */
export async function retryLater(
  tx: Tx,
  row: MessageRow,
  { failure, dueAt, unheard }: Extract<FailedDelivery, { kind: "retry" }>,
  excerpt: number,
): Promise<Settled> {
  await recordFailure(tx, row, failure, excerpt);
  tx.send(
    sql`UPDATE due SET ${statusOn("retry")}, at = ${dueAt}, retried = ${row.retried + 1}, owner = NULL
      WHERE message = ${row.seq}`,
  );
  await logState(tx, row, "RETRY", { dueAt });
  tx.wakeAt(dueAt);
  if (unheard) await startAlarm(tx, row);
  return { kind: "retrying", failure, dueAt, attempt: row.retried + 1 };
}
