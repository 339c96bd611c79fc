import { matchingRuns } from "../queries/lists.ts";
import { isLive } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import type { RunQuery } from "../store/lists.ts";
import { runOf } from "../store/tables/runs.ts";
import { lockAll, type Tx } from "../store/tx.ts";
import { CANCELED, finishRun } from "./finish-run.ts";

/** Cancels the live runs that match. @returns how many */
export async function cancelRuns(tx: Tx, query: RunQuery): Promise<number> {
  const found = await matchingRuns(tx, { ...query, states: ["RUN_STARTED"] });
  await lockAll(tx, { run: found.map(({ id }) => id) });
  // Some may have ended before the locks.
  const live = await inOrder.filter(found, async ({ key }) => {
    const run = await runOf(tx, key);
    return run !== undefined && isLive(run);
  });
  for (const run of live) await finishRun(tx, run, CANCELED);
  return live.length;
}
