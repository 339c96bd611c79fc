import { newMessageId } from "@perdure/core/protocol";
import { isReporting, rollbacksOf } from "../queries/rollbacks.ts";
import { runReport } from "../queries/run-report.ts";
import type { MessageKind } from "../rules/message.ts";
import { type Outcome, UNDELIVERED } from "../rules/message-status.ts";
import { deliveryOf, inherit, type Run } from "../rules/run.ts";
import { toMessage } from "../store/tables/rows.ts";
import { constants, numbers, sql, type Tx } from "../store/tx.ts";
import { insertMessage } from "./insert-message.ts";

/**
 * Asks a failed run's workflow for its rollbacks again:
 *
 * 1. Rollbacks that failed are no longer on record, so that the endpoint makes them again.
 * 2. A message that asked for rollbacks and failed itself doesn't count any more.
 * 3. A new message asks for the rollbacks, and for nothing else.
 *
 * @returns the run; `undefined` when none has failed, or while a message asks for rollbacks already
 */
export async function repeatRollbacks(tx: Tx, dlqId: string): Promise<Run | undefined> {
  const found = await runReport(tx, dlqId);
  if (!found || (await isReporting(tx, found.run.key))) return undefined;
  const { report, run } = found;
  const failed = (await rollbacksOf(tx, run.key)).filter(({ state }) => state === "failed");
  tx.send(
    sql`DELETE FROM rollbacks WHERE run = ${run.key} AND step IN (${numbers(failed.map(({ stepId }) => stepId))})`,
  );
  const kind: MessageKind = "rollback";
  const lost = await tx.run(
    sql`UPDATE messages SET delete_after = ${tx.now} WHERE run = ${run.key}
      AND outcome IN (${constants<Outcome>(...UNDELIVERED)}) AND kind = ${kind} AND delete_after IS NULL`,
  );
  if (failed.length === 0 && lost === 0) return undefined;
  const { body } = toMessage(report);
  const delivery = { ...deliveryOf(run, "step", tx.now), id: newMessageId(), kind, body, notBefore: tx.now };
  await insertMessage(tx, { ...inherit(delivery, run), flow: undefined }, { run: run.key });
  return run;
}
