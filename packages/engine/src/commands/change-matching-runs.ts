import type { BulkResult, RunQuery } from "../store/lists.ts";
import type { BulkChange } from "./change-runs.ts";
import type { Store } from "./store.ts";

/**
 * Cancels, resumes or restarts the runs of one page of a query. A read of its own finds them, so that a slow filter
 * holds up no writes.
 */
export async function changeMatchingRuns(
  store: Pick<Store, "affectedRuns" | "changeRuns">,
  query: RunQuery,
  change: BulkChange,
): Promise<BulkResult> {
  const { items, next } = await store.affectedRuns(change.kind, query);
  const changed = items.length === 0 ? 0 : await store.changeRuns(items, change);
  return { changed, next };
}
