import { ON_POSTGRES } from "@perdure/test-support/mode";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Faults } from "./inline-model/faults.ts";
import { isDeterministic, makeProgram } from "./inline-model/program.ts";
import { turns } from "./inline-model/times.ts";
import { Run, World } from "./inline-model/world.ts";
import { seeded } from "./support/seed.ts";

afterEach(() => vi.restoreAllMocks());

const SEED = Number(process.env.SEED) || Math.floor(Math.random() * 2 ** 31);
/** Programs, each of which is run under several schedules of faults at the same time. */
const PROGRAMS = Number(process.env.PROGRAMS ?? (ON_POSTGRES ? 4 : 25));
const SCHEDULES = ON_POSTGRES ? 20 : 40;

describe(`random workflows on both sides, with faults between them (SEED=${SEED})`, () => {
  it.each(Array.from({ length: PROGRAMS }, (_, at) => SEED + at))(
    "end as without faults and without inline execution: SEED=%d",
    async (seed) => {
      for (const method of ["error", "warn", "info"] as const)
        vi.spyOn(console, method).mockImplementation(() => {});
      const random = seeded(seed);
      const node = makeProgram(random, random.next() < 0.7 ? 2 : 3);
      const plain = new Run(`wfr_single-${seed}`, node, new Faults(seed, 0), "single");
      const runs = Array.from({ length: SCHEDULES }, (_, at) => {
        const faults = new Faults(seed * 1000 + at, at === 0 ? 0 : 6);
        return new Run(`wfr_${at}-${seed}`, node, faults, at % 4 === 3 ? "short" : "inline");
      });
      const world = await World.start([plain, ...runs], seeded(seed));
      try {
        await Promise.all(
          [plain, ...runs].map(({ id, endpoint }) =>
            world.client.trigger({
              url: `https://app.test/wf/${endpoint}`,
              workflowRunId: id.slice(4),
              retries: 100,
              retryDelay: "1000",
            }),
          ),
        );
        await world.drain(async () => {
          if (random.next() < 0.05) {
            await turns(Math.floor(random.next() * 20));
            await world.crashEngine();
          }
          if (random.next() < 0.05) world.jump(Math.round((random.next() - 0.5) * 20_000));
        });
        const expected = await world.end(plain);
        for (const run of runs) {
          const log = await world.end(run);
          const why = `${run.id} ${JSON.stringify(node)}\n${run.trace.join("\n")}`;
          expect(run.violations, why).toEqual([]);
          expect(log?.workflowState, why).not.toBe("RUN_STARTED");
          expect(run.ends, why).toBeLessThanOrEqual(1);
          if (isDeterministic(node)) {
            expect(log?.workflowState, why).toBe(expected?.workflowState);
            expect(log?.workflowRunResponse, why).toBe(expected?.workflowRunResponse);
          }
          if (log?.workflowState !== "RUN_FAILED") continue;
          expect(run.told, why).toBeGreaterThan(0);
          expect(log.failureFunction?.state, why).toBe("CALLBACK_SUCCESS");
          expect([...run.effects], why).toEqual([]);
        }
      } finally {
        await world.stop();
      }
    },
    240_000,
  );
});
