import type { AttemptEntry } from "@perdure/core/protocol";
import { openRetriesOf } from "../queries/open-retries.ts";
import { toBytes, toText } from "../rules/bytes.ts";
import { EngineError, notFound } from "../rules/engine-error.ts";
import type { MessageKind } from "../rules/message.ts";
import { STATUS } from "../rules/message-status.ts";
import { readRecord } from "../rules/record.ts";
import type { Run } from "../rules/run.ts";
import { attemptKey } from "../rules/step-attempt.ts";
import { isSleep } from "../rules/step-kinds.ts";
import { recordsOf } from "../store/tables/entries.ts";
import { chosenRun, latestRun, lockRun, notLive } from "../store/tables/runs.ts";
import { OPEN_WAITS, toSleep, type WaiterRow } from "../store/tables/waiters.ts";
import { sql, type Tx } from "../store/tx.ts";
import { endWait } from "./end-wait.ts";
import { wakeRun } from "./wake-run.ts";

/** The sleeps of a run to end. */
export interface WakeChoice {
  readonly id: string;
  /** Only the sleeps of the steps with this name. */
  readonly stepName?: string | undefined;
}

/**
 * Ends the sleeps of a run now.
 *
 * @returns how many
 * @throws EngineError `not_found`; `conflict` for a run that has ended, or doesn't sleep
 */
export async function wakeSleeps(tx: Tx, { id, stepName }: WakeChoice): Promise<number> {
  const run = await lockRun(tx, id);
  if (!run)
    throw (await latestRun(tx, id))
      ? await notLive(tx, id, "it doesn't sleep")
      : notFound(`workflow run ${id}`);
  const woken = (await wakeInline(tx, run, stepName)) + (await wakeDeliveries(tx, run, stepName));
  if (woken > 0) return woken;
  const what = stepName === undefined ? "no step" : `no step "${stepName}"`;
  throw new EngineError("conflict", `workflow run ${id} has ${what} that sleeps`);
}

/** Ends the sleeps of an inline run: each has a waiter without an event. */
async function wakeInline(tx: Tx, run: Run, stepName: string | undefined): Promise<number> {
  const rows = await tx.all<WaiterRow>(
    sql`${OPEN_WAITS} AND run = ${run.key} AND event IS NULL ORDER BY seq`,
  );
  const chosen = rows.filter((row) => stepName === undefined || toSleep(row).step.stepName === stepName);
  for (const row of chosen) await endWait(tx, row, undefined);
  return chosen.length;
}

/** Ends the other sleeps: the record of such a sleep, or its plan, is delivered when it is over. */
async function wakeDeliveries(tx: Tx, { key }: Run, stepName: string | undefined): Promise<number> {
  const rows = await tx.all<{ message: number; body: Uint8Array }>(
    sql`SELECT due.message, entries.body FROM due JOIN messages ON messages.seq = due.message
      JOIN entries ON entries.seq = messages.entry
      WHERE due.run = ${key} AND due.status = ${STATUS.scheduled} AND due.at > ${tx.now}
        AND ((${recordsOf("result")}) OR (${recordsOf("plan")}))`,
  );
  const chosen = rows.filter(({ body }) => {
    const record = readRecord(toText(body));
    return isSleep(record) && (stepName === undefined || record.stepName === stepName);
  });
  for (const { message } of chosen)
    await tx.run(sql`UPDATE due SET at = ${tx.now} WHERE message = ${message}`);
  if (chosen.length > 0) tx.wakeAt(tx.now);
  return chosen.length;
}

/**
 * Begins the next attempts of a run now that wait for their time after a failed one: of its deliveries, its
 * steps, its calls, and its failure function.
 *
 * @returns how many
 * @throws EngineError `not_found`; `conflict` for a run without such an attempt
 */
export async function retryRunNow(tx: Tx, id: string): Promise<number> {
  await tx.lock("run", id);
  const { key } = await chosenRun(tx, { id });
  const deliveries = await tx.all<{ kind: MessageKind }>(
    sql`UPDATE due SET at = ${tx.now} WHERE run = ${key} AND status = ${STATUS.retrying} AND at > ${tx.now}
      RETURNING (SELECT kind FROM messages WHERE seq = due.message) AS kind`,
  );
  if (deliveries.length > 0) tx.wakeAt(tx.now);
  const steps = await hurrySteps(tx, { key, id });
  // The delivery that waits beside a step is the one that carries out the step's next attempt.
  const retried = steps + deliveries.filter(({ kind }) => steps === 0 || kind !== "step").length;
  if (retried > 0) return retried;
  throw new EngineError("conflict", `workflow run ${id} has no attempt that waits for its time`);
}

/**
 * Lets the steps of an inline run that have failed be tried again at once. The time of the next attempt is the
 * engine's own word in the record of the failed one, and its endpoint obeys it.
 */
async function hurrySteps(tx: Tx, { key, id }: Pick<Run, "key" | "id">): Promise<number> {
  const open = (await openRetriesOf(tx, key)).filter(({ retryAt = 0 }) => retryAt > tx.now);
  for (const attempt of open) {
    const hurried: AttemptEntry = { ...attempt, retryAt: tx.now };
    await tx.run(
      sql`UPDATE entries SET body = ${toBytes(JSON.stringify(hurried))}
        WHERE run = ${key} AND record = ${attemptKey(attempt.step, attempt.attempt)}`,
    );
  }
  if (open.length === 0) return 0;
  const run = await lockRun(tx, id);
  if (run && run.key === key) await wakeRun(tx, run);
  return open.length;
}
