import { isSameUrl, parseFailure } from "@perdure/core/protocol";
import { stepsUnderWay } from "../queries/steps-under-way.ts";
import { toText } from "../rules/bytes.ts";
import { ALARM_DELAY, type Failed, runFailureMessage } from "../rules/failure.ts";
import type { NewMessage } from "../rules/message.ts";
import { haveRollback } from "../rules/rollback.ts";
import { failureCallbackOf, type Run } from "../rules/run.ts";
import { history } from "../store/tables/entries.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { GREATEST, sql, type Tx } from "../store/tx.ts";
import { deferReport } from "./in-flight.ts";
import { insertMessage } from "./insert-message.ts";

/**
 * Stores the report that calls a failed run's failure function:
 *
 * 1. A report that goes to the workflow itself also asks for the rollbacks.
 * 2. A report that goes to another URL goes out at once when the run has no rollbacks.
 * 3. Otherwise it is an alarm: a second message asks the workflow for the rollbacks, and the alarm waits for the end of
 *    that message, for {@link ALARM_DELAY} at most.
 *
 * @returns the report's key; undefined when there is no place for the report
 */
export async function reportRunFailure(
  tx: Tx,
  failed: Failed,
  run: Run,
  source: MessageRow,
): Promise<number | undefined> {
  const place = failed.message.failureCallback ?? failureCallbackOf(run);
  if (!place) return undefined;
  const report = runFailureMessage(failed, run, place);
  const of = { run: run.key, source };
  if (isSameUrl(report.url, run.url)) {
    const callback = await insertMessage(tx, report, of);
    await deferReport(tx, run.key, callback);
    return callback;
  }
  if (!(await mayRollBack(tx, run, report))) return insertMessage(tx, report, of);
  // With the policy of the run's deliveries: the options of the report are for its own URL.
  const own = runFailureMessage(failed, run, { url: run.url, options: undefined }, "rollback");
  const rollback = await insertMessage(tx, own, of);
  await deferReport(tx, run.key, rollback);
  const alarm = await insertMessage(tx, report, { ...of, awaits: rollback });
  const latest = failed.failure.at + ALARM_DELAY;
  await tx.run(sql`UPDATE due SET at = ${GREATEST}(at, ${latest}) WHERE message = ${alarm}`);
  tx.wakeAt(latest);
  return alarm;
}

/** Whether any step on record, or the step in progress, may have a rollback. */
async function mayRollBack(tx: Tx, run: Run, report: NewMessage): Promise<boolean> {
  const { step } = parseFailure(toText(report.body ?? new Uint8Array()));
  return (
    step?.rollback === true ||
    haveRollback(await history(tx, run.key)) ||
    // A step without a record: only an endpoint of Perdure's runtime, which its answers show, has rollbacks.
    (run.capabilities !== undefined && (await stepsUnderWay(tx, run)).begun)
  );
}
