import { isSameUrl, parseFailure } from "@perdure/core/protocol";
import { toText } from "../rules/bytes.ts";
import { ALARM_DELAY, type Failed, runFailureMessage } from "../rules/failure.ts";
import type { NewMessage } from "../rules/message.ts";
import { haveRollback } from "../rules/rollback.ts";
import { failureCallbackOf, type Run } from "../rules/run.ts";
import { history } from "../store/tables/entries.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { GREATEST, sql, type Tx } from "../store/tx.ts";
import { deferReport, stepsUnderWay } from "./in-flight.ts";
import { insertMessage } from "./messages.ts";

/**
 * Stores the message that calls a failed run's failure function. When it goes to the workflow itself, it also asks for
 * the rollbacks. When it goes to another URL, a second message asks the workflow for them, if there may be any, and the
 * report waits for the end of that one, for {@link ALARM_DELAY} at most.
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
  // As the run's own deliveries: what was said of the report's is for its place alone.
  const own = runFailureMessage(failed, run, { url: run.url, options: undefined }, "rollback");
  const rollback = await insertMessage(tx, own, of);
  await deferReport(tx, run.key, rollback);
  const alarm = await insertMessage(tx, report, { ...of, awaits: rollback });
  const latest = failed.failure.at + ALARM_DELAY;
  await tx.run(sql`UPDATE due SET at = ${GREATEST}(at, ${latest}) WHERE message = ${alarm}`);
  tx.wakeAt(latest);
  return alarm;
}

/** Whether any step on record, or the one under way, may have a rollback. */
async function mayRollBack(tx: Tx, run: Run, report: NewMessage): Promise<boolean> {
  // Only an endpoint of our own runtime has rollbacks; it says so with its first answer.
  if (run.capabilities === undefined) return false;
  const { step } = parseFailure(toText(report.body ?? new Uint8Array()));
  return (
    step?.rollback === true ||
    (await stepsUnderWay(tx, run)).begun ||
    haveRollback(await history(tx, run.key))
  );
}
