import type { HistoryEntry } from "@perdure/core/protocol";
import { historyInSlices } from "../store/tables/entries.ts";
import { latestRun, liveRun } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";

/** Selects one of the runs that had an id. */
export interface HistoryChoice {
  /** Whether the run may have ended. Default: only a live run. */
  readonly ended?: boolean;
  /** When the run was created, in milliseconds since 1970. Default: the newest run of the id. */
  readonly createdAt?: number | undefined;
}

/** The history of a run; `undefined` when there is no such run. */
export async function runHistory(
  tx: Tx,
  runId: string,
  { ended = false, createdAt }: HistoryChoice = {},
): Promise<HistoryEntry[] | undefined> {
  const run = ended ? await latestRun(tx, runId, createdAt) : await liveRun(tx, runId);
  return run && historyInSlices(tx, run.key);
}
