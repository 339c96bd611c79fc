import { toBytes } from "../rules/bytes.ts";
import { isLive, type Run } from "../rules/run.ts";
import { type NewWait, waitRecord } from "../rules/wait.ts";
import { runOf } from "../store/tables/runs.ts";
import { toSleep, toWait, type WaiterRow } from "../store/tables/waiters.ts";
import { sql, type Tx } from "../store/tx.ts";
import { type EngineStep, recordStep } from "./record-step.ts";

/** A wait that has ended, with its run. */
export interface EndedWait {
  readonly run: Run;
  readonly wait: NewWait;
}

/**
 * Ends a wait or a sleep, and records its step. The caller has the run's lock.
 *
 * @param data the event's; `undefined` when the wait's time is over
 * @returns `undefined` for a sleep, and when its run has ended: then nothing is recorded
 */
export async function endWait(
  tx: Tx,
  row: WaiterRow,
  data: Uint8Array | undefined,
): Promise<EndedWait | undefined> {
  const ended = await tx.run(sql`UPDATE waiters SET open = 0 WHERE seq = ${row.seq} AND open = 1`);
  // Another transaction has ended it before the caller had the run's lock.
  if (ended === 0) return undefined;
  const run = await runOf(tx, row.run);
  if (!run || !isLive(run)) return undefined;
  if (row.event === null) {
    const { key, step } = toSleep(row);
    const body = toBytes(JSON.stringify(step));
    await recordStep(tx, run, { key, step, body, waitingSince: row.created_at });
    return undefined;
  }
  const wait = toWait(row);
  await recordWait(tx, run, { ...wait, waitingSince: row.created_at }, data);
  return { run, wait };
}

/** Records the step of a wait. A wait whose time is over may have a URL of its own. */
export async function recordWait(
  tx: Tx,
  run: Run,
  wait: NewWait & Pick<EngineStep, "waitingSince">,
  data: Uint8Array | undefined,
): Promise<void> {
  const timedOut = data === undefined;
  const message = timedOut ? { ...wait.message, url: wait.timeoutUrl } : wait.message;
  const { key, step, waitingSince } = wait;
  const since = waitingSince === undefined ? {} : { waitingSince };
  await recordStep(tx, run, {
    key,
    message,
    step,
    body: toBytes(waitRecord(wait, data)),
    timedOut,
    ...since,
  });
}
