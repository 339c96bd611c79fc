import { existsSync } from "node:fs";
import { join } from "node:path";
import { seeded } from "../test/support/seed.ts";
import { check, type Verdict } from "./checker.ts";
import { readHistory, writerOf } from "./history.ts";
import { torment } from "./nemesis.ts";
import { startSystem } from "./system.ts";
import { type Progress, Workload } from "./workload.ts";

export interface ChaosOptions {
  readonly store: "sqlite" | "postgres";
  readonly runs: number;
  /** Decides the runs' programs and the moments of all faults. */
  readonly seed: number;
  /** Milliseconds in which the runs begin, and the processes are killed; longer on a slow machine. */
  readonly duration: number;
  /** A folder for the history. */
  readonly folder: string;
  /** True to wait for the disk at each commit of PostgreSQL. */
  readonly durable?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/** Runs the workload while processes die, and checks its history. */
export async function chaos(options: ChaosOptions): Promise<Verdict> {
  const { store, runs, seed, duration, folder, durable = false, onProgress = () => {} } = options;
  const [own, ofEndpoint] = [join(folder, "client.jsonl"), join(folder, "endpoint.jsonl")];
  const write = writerOf(own);
  const system = await startSystem({ store, folder, history: ofEndpoint, durable });
  try {
    const over = new AbortController();
    const workload = new Workload({
      system,
      random: seeded(seed),
      write,
      runs,
      own,
      endpointHistory: ofEndpoint,
      duration,
      onProgress(progress) {
        if (progress.begun === runs) over.abort();
        onProgress(progress);
      },
    });
    const torments = torment({ system, random: seeded(seed + 1), write, duration, over: over.signal });
    await Promise.all([workload.run(), torments]);
  } finally {
    await system.stop();
  }
  return check(readHistory([own, ofEndpoint].filter((file) => existsSync(file))));
}
