import { notFound } from "../rules/engine-error.ts";
import type { EndedRun, RunEnd } from "../rules/run.ts";
import { formatLease, isHeldUnder, type RunLease } from "../rules/run-lease.ts";
import { latestRun, lockRun } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import { finishRun } from "./finish-run.ts";

/**
 * Ends a run with the workflow's result or by cancellation.
 *
 * @param lease the lease that must hold the run, if the caller is an invocation that runs inline
 * @throws EngineError `not_found` for an id that no run has had, and for a lease that doesn't hold the run
 */
export async function endRun(
  tx: Tx,
  id: string,
  { lease, ...end }: RunEnd & { readonly lease?: RunLease | undefined },
): Promise<EndedRun> {
  const live = await lockRun(tx, id);
  if (live) {
    if (lease && !isHeldUnder(live, lease))
      throw notFound(`invocation that holds workflow run ${id} under the lease ${formatLease(lease)}`);
    await finishRun(tx, live, end);
    return "ended";
  }
  if (await latestRun(tx, id)) return "ended before";
  throw notFound(`workflow run ${id}`);
}
