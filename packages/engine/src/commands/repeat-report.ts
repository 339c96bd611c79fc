import { newMessageId } from "@perdure/core/protocol";
import { runReport } from "../queries/run-report.ts";
import { UNDELIVERED } from "../rules/message-status.ts";
import type { Run } from "../rules/run.ts";
import { toMessage } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { deleteUnreferenced } from "./delete-messages.ts";
import { insertMessage } from "./insert-message.ts";

/**
 * Sends the report of a run's failure again, after it failed or was cancelled.
 *
 * @returns the run; `undefined` when there is no such dead letter, or its report hasn't failed
 */
export async function repeatReport(tx: Tx, dlqId: string): Promise<Run | undefined> {
  const found = await runReport(tx, dlqId);
  if (!found?.report.outcome || !UNDELIVERED.includes(found.report.outcome)) return undefined;
  const { report, run } = found;
  const again = { ...toMessage(report), id: newMessageId(), notBefore: tx.now, createdAt: tx.now };
  const seq = await insertMessage(tx, again, { run: run.key });
  await tx.run(sql`UPDATE dlq SET callback = ${seq} WHERE id = ${dlqId}`);
  await deleteUnreferenced(tx, [report.seq]);
  return run;
}
