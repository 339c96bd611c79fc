import type { Command, StartRun } from "../rules/command.ts";
import type { QueueLimits } from "../rules/queue.ts";
import type { Receipt } from "../store/receipt.ts";
import { StoreUnavailable } from "../store/unavailable.ts";
import { command, type Operation } from "./operation.ts";
import { publish } from "./publish.ts";
import { toSlices } from "./slices.ts";
import { isPlainStart } from "./start-runs.ts";

type Accept = (commands: readonly Command[], limits?: Partial<QueueLimits>) => Promise<Receipt[]>;

/**
 * Stores what a request publishes, all of it or nothing. The start of a run that comes alone shares its statements with those of
 * the other requests that arrive at the same time: measured with 500 at once on PostgreSQL, a tenth of the statements.
 */
export const accept: Operation<Parameters<Accept>, Receipt[]> = (to) => {
  const store: Accept = command(publish)(to);
  const start = createStarts(store);
  return async (commands, limits) => {
    const [first, ...more] = commands;
    const isAlone = first?.kind === "start" && more.length === 0 && isPlainStart(first);
    return isAlone ? [await start(first)] : store(commands, limits);
  };
};

/** A start whose caller waits for its receipt. */
interface Waiting {
  readonly command: StartRun;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: unknown) => void;
}

/** Returns a function that starts a run, together with others for which it is called before the process has read all its input. */
function createStarts(accept: Accept): (start: StartRun) => Promise<Receipt> {
  let waiting: Waiting[] = [];
  const flush = (): void => {
    const starts = waiting;
    waiting = [];
    let from = 0;
    for (const { length } of toSlices(starts.map(({ command }) => command))) {
      void settle(accept, starts.slice(from, from + length));
      from += length;
    }
  };
  return (start) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ command: start, resolve, reject });
    });
}

/** Stores starts, and answers each as if it had been alone. */
async function settle(accept: Accept, starts: readonly Waiting[]): Promise<void> {
  try {
    const receipts = await accept(starts.map(({ command }) => command));
    for (const [at, { resolve }] of starts.entries()) resolve(receipts[at] as Receipt);
  } catch (error) {
    const isShared = starts.length > 1 && !(error instanceof StoreUnavailable);
    await Promise.all(starts.map((one) => (isShared ? settle(accept, [one]) : one.reject(error))));
  }
}
