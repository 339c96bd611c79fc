import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { makeDatabase } from "./sleeping.ts";

const ENGINE = fileURLToPath(new URL("./idle-engine.ts", import.meta.url));
const TIMES = 3;

/** Bytes that an engine's process holds, as the median of some. */
export interface Memory {
  readonly full: number;
  readonly idle: number;
  readonly ratio: number;
}

/** An engine with so many sleeping runs in its database, and one with none. */
export async function memory(runs: number): Promise<Memory> {
  const [full, idle] = [await residentBytes(runs), await residentBytes(0)];
  return { full, idle, ratio: full / idle };
}

async function residentBytes(runs: number): Promise<number> {
  const database = await makeDatabase(runs, 0);
  try {
    const measured = Array.from({ length: TIMES }, () =>
      Number(execFileSync(process.execPath, ["--expose-gc", ENGINE, database.file], { encoding: "utf8" })),
    );
    return measured.sort((a, b) => a - b)[Math.floor(TIMES / 2)] ?? Number.NaN;
  } finally {
    database.remove();
  }
}
