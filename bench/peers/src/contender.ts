// A contender is a process that runs workflows on request: it reads "RUNS STEPS" lines and answers each with the
// milliseconds from the first trigger to the moment at which its client knows that all runs have ended.
import { createInterface } from "node:readline";

/** Runs `runs` workflows of `steps` steps at once. Resolves when the client knows that all of them have ended. */
export type RunAll = (runs: number, steps: number) => Promise<void>;

/** Serves requests from stdin until it closes, then calls `stop`. */
export async function contend(runAll: RunAll, stop: () => Promise<void>): Promise<void> {
  console.log("ready");
  for await (const line of createInterface({ input: process.stdin })) {
    const [runs = 0, steps = 0] = line.split(" ").map(Number);
    const start = performance.now();
    await runAll(runs, steps);
    console.log(performance.now() - start);
  }
  await stop();
  process.exit(0);
}

/** An id that no other run of this machine has. */
export function newId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
