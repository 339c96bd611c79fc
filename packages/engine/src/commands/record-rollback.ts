import type { RollbackRecord } from "@perdure/core/protocol";
import { transition } from "../rules/message-status.ts";
import { logState } from "../store/tables/logs.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";

/**
 * Records a rollback that the endpoint has made, and delivers the message that asks for rollbacks again, as if it were
 * new: the endpoint goes on with the next rollback.
 */
export async function recordRollback(tx: Tx, row: MessageRow, record: RollbackRecord): Promise<void> {
  tx.send(
    sql`INSERT INTO rollbacks (run, step, record, at)
      VALUES (${row.run}, ${record.stepId}, ${JSON.stringify(record)}, ${tx.now})
       ON CONFLICT DO NOTHING`,
  );
  tx.send(sql`DELETE FROM failures WHERE message = ${row.seq}`);
  tx.send(
    sql`UPDATE due SET status = ${transition(row.status, "release", 0)}, at = ${tx.now}, retried = 0, owner = NULL
      WHERE message = ${row.seq}`,
  );
  await logState(tx, row, "RETRY", { dueAt: tx.now });
  tx.wakeAt(tx.now);
}
