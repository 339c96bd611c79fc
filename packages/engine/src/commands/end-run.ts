import { notFound } from "../rules/engine-error.ts";
import type { EndedRun, RunEnd } from "../rules/run.ts";
import { latestRun, lockRun } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import { finishRun } from "./finish-run.ts";

/** Ends a run with the workflow's result or by cancellation. @throws EngineError `not_found` for an id that no run has had */
export async function endRun(tx: Tx, id: string, end: RunEnd): Promise<EndedRun> {
  const live = await lockRun(tx, id);
  if (live) {
    await finishRun(tx, live, end);
    return "ended";
  }
  if (await latestRun(tx, id)) return "ended before";
  throw notFound(`workflow run ${id}`);
}
