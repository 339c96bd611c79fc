import { decodeCapabilities } from "@perdure/core/protocol";
import type { RunState } from "../rules/run.ts";
import type { Settlement } from "../rules/settlement.ts";
import type { Lease } from "../store/claims.ts";
import type { Driver } from "../store/driver.ts";
import { toStepRow } from "../store/tables/entries.ts";
import type { PlainEnd } from "../store/tables/plain-ends.ts";
import type { Tx } from "../store/tx.ts";
import { isPlainEntry } from "./append-at-once.ts";
import { recordCompletion } from "./finish-run.ts";
import { recordResult, toBare } from "./insert-inline.ts";

type Returned = Extract<Settlement, { kind: "invocation" }>;

/**
 * Settles the delivery of a run that ends with it, where the database has a faster way than a transaction: most runs end so. It
 * does what `settleDelivery` and `finishRun` do for a run that succeeds, and leaves nothing behind.
 *
 * @returns false when the settlement isn't such an end, or when anything else is to be decided: then nothing has happened
 */
export async function endAtOnce(
  { endAtOnce: end }: Pick<Driver, "endAtOnce">,
  lease: Lease,
  settlement: Settlement,
): Promise<boolean> {
  if (!end || settlement.kind !== "invocation") return false;
  const plain = toPlainEnd(lease, settlement);
  return plain !== undefined && end(plain, (tx, createdAt) => note(tx, lease, settlement, createdAt));
}

/** @returns undefined for a settlement that has more to decide */
function toPlainEnd(lease: Lease, settlement: Returned): PlainEnd | undefined {
  const { seq, messageId: message, fence, run, runId: id, runLease, invoker, queue, flowKey } = lease;
  const { end, entries, after, invocation: name, result, refused } = settlement.invocation;
  if (end !== "returned" || refused || run === null || id === undefined || runLease === undefined)
    return undefined;
  if (invoker !== undefined || queue !== null || flowKey !== null) return undefined;
  const keys = new Set(entries.map(({ key }) => key));
  if (keys.size < entries.length || !entries.every(isPlainEntry)) return undefined;
  const { capabilities, identified } = settlement;
  return {
    ...{ seq, message, fence, run, id, lease: runLease, name, after },
    response: result ?? null,
    capabilities: capabilities ?? null,
    identified: identified ? 1 : 0,
    changes: capabilities !== undefined && hasPolicy(capabilities) ? 1 : 0,
    entries: entries.flatMap((entry) =>
      entry.kind === "attempt" ? [] : toStepRow(toBare({ lease: runLease }, { entry, body: entry.body })),
    ),
  };
}

/** Whether an endpoint's capabilities change the run's messages or its time limit, where they are new. */
function hasPolicy(capabilities: string): boolean {
  const { retries, retryDelay, timeout } = decodeCapabilities(capabilities);
  return retries !== undefined || retryDelay !== undefined || timeout !== undefined;
}

/** Tells the engine's observers what has happened. */
function note(
  tx: Pick<Tx, "record" | "count" | "now">,
  { runId = "" }: Lease,
  { invocation }: Returned,
  createdAt: number,
): void {
  const state: RunState = "RUN_SUCCESS";
  for (const entry of invocation.entries) if (entry.kind === "result") recordResult(tx, runId, entry.record);
  tx.count({ of: "delivery", state: "DELIVERED", count: 1 });
  tx.count({ of: "run", state, count: 1 });
  recordCompletion(tx, { id: runId, createdAt }, invocation.result);
}
