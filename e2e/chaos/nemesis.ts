import { setTimeout as rest } from "node:timers/promises";
import type { Random } from "../test/support/seed.ts";
import type { What } from "./history.ts";
import type { Supervised, System } from "./system.ts";

/** Milliseconds for which an engine is frozen: longer than another engine waits before it takes its leases. */
const FROZEN_MS = 12_000;

/** A test shorter than this restarts PostgreSQL once, a longer one twice. */
const SHORT_MS = 30_000;

/** The longest pause between two kills, in milliseconds, unless a start takes long. The shortest one is a third of it. */
const PAUSE_MS = 1500;

export interface NemesisOptions {
  readonly system: System;
  readonly random: Random;
  readonly write: (what: What) => void;
  /** Milliseconds in which the faults happen that are planned. */
  readonly duration: number;
  /** Aborted when the kills may end. */
  readonly over: AbortSignal;
}

/**
 * Does to the processes what machines do, until the signal comes and the planned faults are over; then everything runs again. Kills come at random moments. On
 * PostgreSQL, its server restarts and an engine is frozen, beside the kills.
 */
export async function torment(options: NemesisOptions): Promise<void> {
  const { system, duration } = options;
  const restarts = duration < SHORT_MS ? [0.5] : [0.25, 0.6];
  const planned = system.restartDatabase
    ? [
        ...restarts.map((share) => restartDatabase(options, share * duration)),
        freeze(options, 0.1 * duration),
      ]
    : [];
  await Promise.all([killAgainAndAgain(options), ...planned]);
}

/** Engines that are frozen: their processes are there, and do nothing. */
const frozen = new WeakSet<Supervised>();

/** One process at a time is dead, so that the others get something done however slow the machine is. */
async function killAgainAndAgain({ system, random, write, over }: NemesisOptions): Promise<void> {
  let pause = PAUSE_MS;
  while (!over.aborted) {
    await rest(pause * (1 / 3 + (2 / 3) * random.next()));
    const victims = [...system.engines, system.endpoint].filter((one) => !frozen.has(one));
    const victim = victims[Math.floor(victims.length * random.next())];
    if (!victim) continue;
    write({ e: "fault", what: `kill -9 of ${victim.name}` });
    await victim.kill();
    await rest(500 * random.next());
    const began = performance.now();
    await victim.start();
    // On a busy machine a process would otherwise be killed for longer than it lives.
    pause = Math.max(PAUSE_MS, 3 * (performance.now() - began));
  }
}

async function restartDatabase({ system, write }: NemesisOptions, after: number): Promise<void> {
  await rest(after);
  write({ e: "fault", what: "restart of PostgreSQL" });
  await system.restartDatabase?.();
}

async function freeze({ system, write }: NemesisOptions, after: number): Promise<void> {
  await rest(after);
  const [engine] = system.engines;
  if (!engine) return;
  frozen.add(engine);
  write({ e: "fault", what: `SIGSTOP of ${engine.name}` });
  engine.freeze();
  await rest(FROZEN_MS);
  write({ e: "fault", what: `SIGCONT of ${engine.name}` });
  engine.thaw();
  frozen.delete(engine);
}
