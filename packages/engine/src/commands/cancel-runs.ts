import { matchingRuns } from "../queries/lists.ts";
import type { RunQuery } from "../store/lists.ts";
import type { Tx } from "../store/tx.ts";
import { CANCELED, finishRun } from "./finish-run.ts";

/** Cancels the live runs that match. @returns how many */
export async function cancelRuns(tx: Tx, query: RunQuery): Promise<number> {
  const live = await matchingRuns(tx, { ...query, states: ["RUN_STARTED"] });
  for (const run of live) await finishRun(tx, run, CANCELED);
  return live.length;
}
