import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { median, type Row } from "./measure.ts";
import { makeDatabase } from "./sleeping.ts";

const ENGINE = fileURLToPath(new URL("./idle-engine.ts", import.meta.url));
const TIMES = 3;

const MIB = 1024 * 1024;

/** Memory of an engine with so many sleeping runs in its database, divided by that of one with none. */
export async function memory(runs: number): Promise<Row> {
  const [full, idle] = [await residentBytes(runs), await residentBytes(0)];
  return {
    name: `memory with ${runs} sleeping runs ÷ idle`,
    ratios: full.map((bytes, at) => bytes / (idle[at] ?? Number.NaN)),
    bar: { atMost: 1.5 },
    figures: `${(median(full) / MIB).toFixed(0)} and ${(median(idle) / MIB).toFixed(0)} MiB`,
  };
}

async function residentBytes(runs: number): Promise<readonly number[]> {
  const database = await makeDatabase(runs, 0);
  try {
    return Array.from({ length: TIMES }, () =>
      Number(execFileSync(process.execPath, ["--expose-gc", ENGINE, database.file], { encoding: "utf8" })),
    );
  } finally {
    database.remove();
  }
}
