import type { NewWait } from "../rules/wait.ts";
import { entryMessage } from "../store/tables/entries.ts";
import { lockRun, notLive } from "../store/tables/runs.ts";
import { OPEN_WAITS, toWait, type WaiterRow } from "../store/tables/waiters.ts";
import { sql, type Tx } from "../store/tx.ts";
import type { WaitReceipt } from "../store/waits.ts";
import { recordWait } from "./end-wait.ts";

/**
 * Lets a step wait for an event:
 *
 * 1. A step that waits already, or that is on record, is answered with what is there.
 * 2. An event that came before is the step's result at once.
 * 3. Otherwise the step waits until its event comes or its time is over.
 *
 * @throws EngineError `conflict` when its run isn't live
 */
export async function startWait(tx: Tx, wait: NewWait): Promise<WaitReceipt> {
  const { runId, eventId, key, deadline, message } = wait;
  const run = await lockRun(tx, runId);
  if (!run) throw await notLive(tx, runId, "it can't wait for anything");
  const known = (await entryMessage(tx, run.key, key)) ?? (await waiterMessage(tx, run.key, key));
  if (known !== undefined) return { messageId: known, deduplicated: true };
  const early = await tx.one<{ seq: number; data: Uint8Array }>(
    sql`SELECT seq, data FROM events WHERE run = ${run.key} AND event = ${eventId} ORDER BY seq LIMIT 1`,
  );
  tx.send(
    sql`INSERT INTO waiters (run, event, record, open, deadline, wait, created_at)
      VALUES (${run.key}, ${eventId}, ${key}, ${early ? 0 : 1}, ${deadline}, ${JSON.stringify(wait)}, ${tx.now})`,
  );
  if (early) {
    tx.send(sql`DELETE FROM events WHERE seq = ${early.seq}`);
    await recordWait(tx, run, wait, early.data);
  } else {
    tx.wakeAt(deadline);
    const { stepName: step, stepType } = wait.step;
    tx.record({ type: "step.waiting", runId, step, stepType, eventId, until: deadline });
  }
  return { messageId: message.id, deduplicated: false };
}

/** The message of a step that waits already. */
async function waiterMessage(tx: Tx, run: number, key: string): Promise<string | undefined> {
  const row = await tx.one<WaiterRow>(
    sql`${OPEN_WAITS} AND run = ${run} AND record = ${key} AND event IS NOT NULL`,
  );
  return row && toWait(row).message.id;
}
