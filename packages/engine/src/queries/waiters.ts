import { isLive, type Run } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import { latestRun, runOf } from "../store/tables/runs.ts";
import { OPEN_WAITS, toWait, type WaiterRow } from "../store/tables/waiters.ts";
import { sql, type Tx } from "../store/tx.ts";
import type { Waiting } from "../store/waits.ts";

/** An event of a run. */
export interface RunEvent {
  readonly run: number;
  readonly eventId: string;
}

/** The steps that wait for an event, in the order in which they began to wait. */
export async function waiters(tx: Tx, eventId: string): Promise<Waiting[]> {
  const rows = await tx.many<WaiterRow>(sql`${OPEN_WAITS} AND event = ${eventId} ORDER BY seq`);
  return await inOrder.flatMap(rows, async (row) => {
    const run = await runOf(tx, row.run);
    return run ? [{ run, wait: toWait(row) }] : [];
  });
}

/** The first step of a run that waits for an event. */
export async function nextWaiter(tx: Tx, { run, eventId }: RunEvent): Promise<WaiterRow | undefined> {
  return await tx.one<WaiterRow>(
    sql`${OPEN_WAITS} AND run = ${run} AND event = ${eventId} ORDER BY seq LIMIT 1`,
  );
}

/** The live run of this id, or the live run that resumed the failed run of this id. */
export async function reachableRun(tx: Tx, id: string): Promise<Run | undefined> {
  let run = await latestRun(tx, id);
  while (run && !isLive(run)) run = await successorOf(tx, run);
  return run;
}

async function successorOf(tx: Tx, { key }: Run): Promise<Run | undefined> {
  const row = await tx.one<{ successor: number | null }>(sql`SELECT successor FROM runs WHERE key = ${key}`);
  return runOf(tx, row?.successor ?? null);
}
