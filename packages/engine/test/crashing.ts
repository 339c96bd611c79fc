import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { ManualClock } from "../src/index.ts";
import { type Endpoint, START, type World, world } from "./harness.ts";

/** A machine on which engines run one after the other, on the same file and with the same clock. */
export interface Machine {
  readonly folder: string;
  readonly file: string;
  readonly clock: ManualClock;
  /** @param database another one than {@link file} */
  boot(endpoint: Endpoint, database?: string): World;
}

/** A new machine for each test of a file. */
export function useMachine(): () => Machine {
  let machine: Machine;
  beforeEach(() => {
    const folder = mkdtempSync(join(tmpdir(), "perdure-"));
    const file = join(folder, "sub folder", "engine.db");
    const clock = new ManualClock(START);
    machine = {
      folder,
      file,
      clock,
      boot: (endpoint, database = file) => world(endpoint, { file: database, clock }),
    };
  });
  afterEach(() => rmSync(machine.folder, { recursive: true }));
  return () => machine;
}

/** The process dies: what it was doing never comes to anything. */
export async function crash(w: World): Promise<void> {
  void w.engine.stop({ deadline: 0 });
  await w.store.close();
}

/** An endpoint that doesn't answer. */
export const never = (): Promise<Response> => new Promise<Response>(() => {});

export const stateOf = async (w: World, id = "wfr_1"): Promise<string> => (await w.run(id)).workflowState;
