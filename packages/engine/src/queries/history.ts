import type { HistoryEntry } from "@perdure/core/protocol";
import { EngineError } from "../rules/engine-error.ts";
import type { Run } from "../rules/run.ts";
import { type HistorySlice, historyInSlices, historySlice, lastEntry } from "../store/tables/entries.ts";
import { latestRun, liveRun } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";

/** Selects one of the runs that had an id. */
export interface HistoryChoice {
  /** Whether the run may have ended. Default: only a live run. */
  readonly ended?: boolean;
  /** When the run was created, in milliseconds since 1970. Default: the newest run of the id. */
  readonly createdAt?: number | undefined;
}

/** The history of a run. @throws EngineError `not_found` */
export async function runHistory(tx: Tx, runId: string, choice: HistoryChoice = {}): Promise<HistoryEntry[]> {
  const { key } = await choose(tx, runId, choice);
  return historyInSlices(tx, key);
}

/** The first part of a run's history; {@link historySlice} reads on. @throws EngineError `not_found` */
export async function historyStart(tx: Tx, runId: string, choice: HistoryChoice): Promise<HistorySlice> {
  const { key } = await choose(tx, runId, choice);
  const { position: last = 0 } = (await lastEntry(tx, key)) ?? {};
  return historySlice(tx, { run: key, position: 1, last });
}

async function choose(tx: Tx, runId: string, { ended = false, createdAt }: HistoryChoice): Promise<Run> {
  const run = ended ? await latestRun(tx, runId, createdAt) : await liveRun(tx, runId);
  if (run) return run;
  throw new EngineError("not_found", `workflow run ${runId} not found: it has ended, or never was`);
}
