import type { RunLog } from "@perdure/core";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { sampled } from "@perdure/test-support/sample";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Faults } from "./inline-model/faults.ts";
import { isDeterministic, makeProgram, mayCancel } from "./inline-model/program.ts";
import { turns } from "./inline-model/times.ts";
import { Run, World } from "./inline-model/world.ts";
import { type Random, seeded } from "./support/seed.ts";

afterEach(() => vi.restoreAllMocks());

/** Always the same worlds, so that a change is at fault where one of them fails; with `WORLDS`, new ones. */
const SEED = Number(process.env.SEED) || (process.env.WORLDS ? Math.floor(Math.random() * 2 ** 31) : 1);
/** Worlds: in each, several programs run under several schedules of faults at the same time. */
const WORLDS = Number(process.env.WORLDS ?? (ON_POSTGRES ? 3 : 17));
const SEEDS = Array.from({ length: WORLDS }, (_, at) => SEED + at);
const PROGRAMS = 4;
const SCHEDULES = ON_POSTGRES ? 6 : 30;
/** Small programs find more in the same time; some need a larger one. */
const DEPTHS = [1, 1, 2, 2, 2, 3];
const ENDPOINTS = ["inline", "inline", "brief", "short"] as const;

interface Program {
  /** Without faults, and with one step in each delivery. */
  readonly plain: Run;
  readonly runs: readonly Run[];
}

function makeRuns(random: Random, seed: number, number: number): Program {
  const node = makeProgram(random, DEPTHS[Math.floor(random.next() * DEPTHS.length)]);
  const plain = new Run(`wfr_single-${number}-${seed}`, node, new Faults(seed, 0), "single");
  const runs = Array.from({ length: SCHEDULES }, (_, at) => {
    const faults = new Faults(seed * 1000 + number * SCHEDULES + at, at === 0 ? 0 : 6);
    return new Run(`wfr_${at}-${number}-${seed}`, node, faults, ENDPOINTS[at % ENDPOINTS.length] ?? "inline");
  });
  return { plain, runs };
}

function expectSame(run: Run, log: RunLog | undefined, expected: RunLog | undefined): void {
  const why = `${run.id} ${JSON.stringify(run.node)}\n${run.trace.join("\n")}`;
  expect(run.violations, why).toEqual([]);
  expect(log?.workflowState, why).not.toBe("RUN_STARTED");
  expect(run.ends, why).toBeLessThanOrEqual(1);
  if (isDeterministic(run.node) && run.faults.endsByItself) {
    expect(log?.workflowState, why).toBe(expected?.workflowState);
    expect(log?.workflowRunResponse, why).toBe(expected?.workflowRunResponse);
  }
  expectEnd(run, log, why);
}

/** A run that has failed or was cancelled is rolled back, and the workflow knows; no other one is. */
function expectEnd(run: Run, log: RunLog | undefined, why: string): void {
  const { workflowState: state, failureFunction, cancelFunction } = log ?? {};
  const isCancelled = state === "RUN_CANCELED";
  expect(run.told > 0, why).toBe(state === "RUN_FAILED");
  if (!isCancelled || run.isKnown) expect(run.toldOfCancel > 0, why).toBe(isCancelled);
  if (run.cancel === "acknowledged") expect(isCancelled, why).toBe(true);
  if (isCancelled) expect(run.cancel !== "none" || mayCancel(run.node), why).toBe(true);
  if (state === "RUN_SUCCESS" || (isCancelled && !run.isKnown)) return;
  expect((failureFunction ?? cancelFunction)?.state, why).toBe("CALLBACK_SUCCESS");
  expect([...run.effects], why).toEqual([]);
}

describe(`random workflows on both sides, with faults between them (SEED=${SEED})`, () => {
  it.each(sampled(SEEDS, 3))(
    "end as without faults and without inline execution: SEED=%d",
    async (seed) => {
      for (const method of ["error", "warn", "info"] as const)
        vi.spyOn(console, method).mockImplementation(() => {});
      const random = seeded(seed);
      const programs = Array.from({ length: PROGRAMS }, (_, number) => makeRuns(random, seed, number));
      const all = programs.flatMap(({ plain, runs }) => [plain, ...runs]);
      const world = await World.start(all, seeded(seed));
      try {
        await Promise.all(
          all.map(({ id, endpoint, faults }) =>
            world.client.trigger({
              url: `https://app.test/wf/${endpoint}`,
              workflowRunId: id.slice(4),
              retries: 100,
              retryDelay: "1000",
              ...(faults.timeLimit === undefined ? {} : { timeout: faults.timeLimit }),
            }),
          ),
        );
        await world.drain(async () => {
          if (random.next() < 0.05) {
            await turns(Math.floor(random.next() * 20));
            await world.crashEngine();
          }
          if (random.next() < 0.05) world.jump(Math.round((random.next() - 0.5) * 100_000));
        });
        for (const { plain, runs } of programs) {
          const expected = await world.end(plain);
          for (const run of runs) expectSame(run, await world.end(run), expected);
        }
      } finally {
        await world.stop();
      }
    },
    240_000,
  );
});
