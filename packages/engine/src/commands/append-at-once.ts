import type { InlineAnswer } from "@perdure/core/protocol";
import type { AppendInline } from "../rules/inline-append.ts";
import type { Driver } from "../store/driver.ts";
import { toStepRow } from "../store/tables/entries.ts";
import { appendInline, toLeaseRow } from "./append-inline.ts";
import { recordResult, toBare } from "./insert-inline.ts";
import { opensWebhook } from "./open-webhook.ts";
import type { Operation } from "./operation.ts";

/**
 * Appends the records of invocations to the histories of their runs, those of each run all or none: results alone at once,
 * where the database is faster so, and everything else in a transaction.
 *
 * @throws EngineError when the records of an append can't be accepted: then the caller stores each append alone, and repeats
 *   those that are stored
 */
export const appendRecords: Operation<[appends: readonly AppendInline[]], InlineAnswer[]> =
  ({ driver }) =>
  async (appends) => {
    if (!driver.appendAtOnce) return driver.write((tx) => appendInline(tx, appends));
    const stored = await storeAtOnce(driver.appendAtOnce, appends);
    const rest = appends.filter((_, at) => !stored.has(at));
    const decided = rest.length === 0 ? [] : await driver.write((tx) => appendInline(tx, rest));
    const answers = decided.values();
    return appends.map(({ entries }, at) =>
      stored.has(at) ? { news: entries.map((_, own) => ({ own })) } : (answers.next().value as InlineAnswer),
    );
  };

/** @returns the places of the appends that are stored */
async function storeAtOnce(
  appendAtOnce: NonNullable<Driver["appendAtOnce"]>,
  appends: readonly AppendInline[],
): Promise<ReadonlySet<number>> {
  const runs = new Map<string, number>();
  for (const { lease } of appends) runs.set(lease.runId, (runs.get(lease.runId) ?? 0) + 1);
  const rows = appends.flatMap((append, at) =>
    // Two appends for one run depend on each other.
    isPlain(append) && runs.get(append.lease.runId) === 1
      ? [{ ...toLeaseRow(append, at), entries: toRows(append) }]
      : [],
  );
  if (rows.length === 0) return new Set();
  return appendAtOnce(rows, (tx, stored) => {
    tx.count({ of: "inline", state: "appends", count: stored.size });
    for (const at of stored) {
      const { lease, entries } = appends[at] as AppendInline;
      for (const entry of entries) if (entry.kind === "result") recordResult(tx, lease.runId, entry.record);
    }
  });
}

/** Whether an append needs nothing of the engine but to be stored. */
function isPlain({ entries, capabilities }: AppendInline): boolean {
  const keys = new Set(entries.map(({ key }) => key));
  return capabilities === undefined && keys.size === entries.length && entries.every(isPlainEntry);
}

/** Whether an entry needs nothing of the engine but to be stored. */
export function isPlainEntry(entry: AppendInline["entries"][number]): boolean {
  return entry.kind === "begin" || (entry.kind === "result" && !opensWebhook(entry.record));
}

function toRows({ lease: { number: lease }, entries }: AppendInline) {
  return entries.flatMap((entry) =>
    entry.kind === "attempt" ? [] : toStepRow(toBare({ lease }, { entry, body: entry.body })),
  );
}
