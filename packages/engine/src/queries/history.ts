import type { HistoryEntry } from "@perdure/core/protocol";
import { historyInSlices } from "../store/tables/entries.ts";
import { latestRun, liveRun } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";

/** Which of the runs that had an id. */
export interface HistoryChoice {
  /** Also a run that has ended; else only a live one. */
  readonly ended?: boolean;
  /** When it was created, in milliseconds since 1970. The last of the id by default. */
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
