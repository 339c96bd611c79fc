import { newDatabase } from "@perdure/test-support/postgres-database";
import { expect, onTestFinished } from "vitest";
import { ManualClock, openPostgres } from "../../src/index.ts";
import type { StateCount } from "../../src/store/maintenance.ts";
import { type Call, type Endpoint, ok, START, type World, type WorldOptions, world } from "../harness.ts";

/** Engines in this process that share a database and a clock, which stands still until the test moves it. */
export interface Engines {
  readonly url: string;
  readonly clock: ManualClock;
  readonly all: readonly World[];
  /** All deliveries of all engines, in their order. */
  readonly calls: Call[];
  /** Operations that were refused by the database and done again, by reason. */
  readonly retries: Map<string, number>;
  /** The engines in turn. */
  next(): World;
  /** Waits until nothing is due, and no delivery is under way. */
  settled(): Promise<void>;
  /** Works off what is due, then moves to the next time at which something is due, until `until` has come. */
  drain(until?: number): Promise<void>;
}

/** Starts engines on a new database. They stop when the test ends. */
export async function startEngines(
  count: number,
  endpoint: Endpoint = () => ok(),
  options: WorldOptions = {},
): Promise<Engines> {
  const url = newDatabase();
  const clock = new ManualClock(START);
  const calls: Call[] = [];
  const retries = new Map<string, number>();
  const noted: Endpoint = (call, self) => {
    calls.push(call);
    return endpoint(call, self);
  };
  const note = (counts: readonly StateCount[]): void => {
    for (const { of, state, count } of counts)
      if (of === "retry") retries.set(state, (retries.get(state) ?? 0) + count);
  };
  const stores = await Promise.all(Array.from({ length: count }, () => openPostgres(url)));
  const all = stores.map((opened) => {
    opened.onStates(note);
    return world(noted, { ...options, opened, clock });
  });
  onTestFinished(async () => {
    for (const { engine, store } of all) {
      await engine.stop({ deadline: 0 });
      await store.close();
    }
  });
  let turn = 0;
  const settled = async (): Promise<void> => {
    await expect
      .poll(
        async () => {
          await Promise.all(all.map(({ engine }) => engine.idle()));
          return (await all[0]?.store.backlog())?.due;
        },
        { interval: 5 },
      )
      .toBe(0);
    await Promise.all(all.map(({ engine }) => engine.idle()));
  };
  return {
    url,
    clock,
    all,
    calls,
    retries,
    next: () => all[turn++ % count] as World,
    settled,
    async drain(until = Infinity) {
      for (;;) {
        await settled();
        const next = clock.next();
        if (next === undefined || next > until) return;
        clock.advanceToNext();
      }
    },
  };
}
