import type { Command } from "../rules/command.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { QueueLimits } from "../rules/queue.ts";
import * as inOrder from "../store/in-order.ts";
import type { Receipt } from "../store/receipt.ts";
import { toSlices } from "./slices.ts";
import type { Store } from "./store.ts";

/**
 * Stores commands that don't depend on each other, in several transactions, between which other requests have their
 * turns. A refused command has its error in its place.
 */
export async function acceptEach(
  store: Pick<Store, "accept">,
  commands: readonly Command[],
  limits: QueueLimits,
): Promise<(Receipt | EngineError)[]> {
  const outcomes: (Receipt | EngineError)[] = [];
  for (const slice of toSlices(commands)) {
    await new Promise((resolve) => setImmediate(resolve));
    outcomes.push(...(await acceptSlice(store, slice, limits)));
  }
  return outcomes;
}

async function acceptSlice(
  store: Pick<Store, "accept">,
  slice: readonly Command[],
  limits: QueueLimits,
): Promise<readonly (Receipt | EngineError)[]> {
  try {
    return await store.accept(slice, limits);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (slice.length === 1) return [error];
  }
  // One after the other: their order is that of a queue.
  return inOrder.flatMap(slice, (one) => acceptSlice(store, [one], limits));
}
