import { HEADER } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { stateOf } from "../crashing.ts";
import { decode, historyOf, START, world } from "../harness.ts";
import { done, inline, key, sleeps } from "./invocation.ts";

it("runs ten steps in one delivery", async () => {
  const w = world(
    inline(async (run) => {
      for (let id = 1; id < 10; id++) await run.append([done(id)], [key(`step${id + 1}`)]);
      return run.returned("all done", done(10));
    }),
  );
  await w.start("wfr_1");
  await w.drain();
  expect(w.calls).toHaveLength(1);
  const run = await w.run("wfr_1");
  expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: '"all done"' });
  expect(run.steps).toHaveLength(11);
  const history = await w.ask("GET", "/v2/workflows/runs/wfr_1?ended=true");
  expect(history.body.map(({ callType }: { callType: string }) => callType)).toEqual(Array(11).fill("step"));
});

it("delivers the whole history to the next invocation, in the order of the commits", async () => {
  const w = world(
    inline(async (run) => {
      if (run.nth === 1) {
        await run.append([done(1)]);
        return run.park(done(2), sleeps(3, START + 5000));
      }
      return run.returned([...run.results.keys()]);
    }),
  );
  await w.start("wfr_1");
  await w.drain();
  expect(w.calls.map(({ at }) => at)).toEqual([START, START + 5000]);
  const last = w.calls[1];
  const entries = last ? historyOf(last) : [];
  expect(entries.slice(1).map(({ body }) => JSON.parse(decode(body)))).toMatchObject([
    { stepId: 1 },
    { stepId: 2 },
    { stepId: 0, targetStep: 3 },
    { stepId: 3, stepType: "SleepUntil" },
  ]);
  expect(last?.headers.get(HEADER.init)).toBe("false");
  expect(await stateOf(w)).toBe("RUN_SUCCESS");
});

it("says which steps one delivery has done, and when a wait began", async () => {
  const w = world(
    inline(async (run) => {
      if (run.nth > 1) return run.returned("done", done(4));
      await run.append([done(1)]);
      return run.park(done(2), sleeps(3, START + 5000));
    }),
  );
  await w.start("wfr_1");
  await w.drain();
  const { body } = await w.ask("GET", "/v2/workflows/runs/wfr_1/steps");
  const [, one, two, nap, last] = body.steps;
  expect([one.invocation, two.invocation, last.invocation]).toEqual([1, 1, 2]);
  expect(nap).toMatchObject({ stepType: "SleepUntil", startedAt: START, durationMs: 5000 });
  expect(nap).not.toHaveProperty("invocation");
});

it("says in which delivery a step has failed that isn't done yet", async () => {
  const w = world(
    inline(async (run) => {
      await run.append([done(1)], [key("step2")]);
      return run.failed(key("step2"));
    }),
  );
  await w.start("wfr_1", { [HEADER.retries]: "0" });
  await w.drain();
  const { body } = await w.ask("GET", "/v2/workflows/runs/wfr_1/steps");
  expect(body.steps.slice(1)).toMatchObject([
    { stepName: "step1", invocation: 1 },
    { stepName: "step2", state: "STEP_FAILED", invocation: 1 },
  ]);
});
