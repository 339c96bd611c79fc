import { HEADER } from "@perdure/core/protocol";
import { expect, it } from "vitest";
import { createMetrics } from "../../src/cli/metrics.ts";
import { historyOf, START, sequence, world } from "../harness.ts";
import { appendTo, done, fails, inline, invocationOf, key, waits } from "./invocation.ts";

const FAST = { [HEADER.retryDelay]: "1000" };

it("metrics count steps, appends, fallbacks, lost leases and takeovers", async () => {
  let lost = "";
  const inlineRuns = inline(async (run) => {
    if (run.nth === 1) {
      lost = run.lease;
      await run.append([done(1)], [key("step2")]);
      throw new TypeError("the connection breaks");
    }
    await appendTo(run.self, { lease: lost, after: 2, records: [done(2)], underWay: [] });
    return run.returned(1, done(2), done(3));
  });
  const w = world((call, self) => {
    if (call.headers.get(HEADER.runId) !== "wfr_fallback") return inlineRuns(call, self);
    if (historyOf(call).length > 1) return sequence(2)(call, self);
    return invocationOf(call, self).end({ end: "continue", records: [done(1)] });
  });
  const metrics = createMetrics();
  metrics.watch(w.store, "u");
  await w.start("wfr_1", FAST);
  await w.start("wfr_fallback", FAST);
  await w.drain();
  const text = await (await metrics.render()).text();
  const lines = [...text.matchAll(/^perdure_inline_total\{user="u",state="(\w+)"\} (\d+)$/gm)];
  expect(Object.fromEntries(lines.map(([, state, count]) => [state, Number(count)]))).toEqual({
    steps: 4,
    appends: 1,
    fallbacks: 1,
    lease_lost: 1,
    takeovers: 1,
  });
});

it("the filter by a step's state finds a run whose inline step waits for its retry, until the step has a result", async () => {
  const w = world(
    inline((run) => (run.nth === 1 ? run.failed(key("step1")) : run.returned("fine", done(1)))),
  );
  await w.start("wfr_1", { [HEADER.retryDelay]: "60000" });
  await w.engine.idle();
  const found = async () => {
    const { body } = await w.ask("GET", "/v2/workflows/logs?state=STEP_RETRY");
    return body.runs.map((run: { workflowRunId: string }) => run.workflowRunId);
  };
  expect(await found()).toEqual(["wfr_1"]);
  await w.drain();
  expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  expect(await found()).toEqual([]);
});

it("the filter finds a parked run of which another step is awaited", async () => {
  const w = world(
    inline(async (run) => {
      await run.append([waits(run.runId, 1, "go"), fails(key("late"), 1)]);
      return run.park();
    }),
  );
  await w.start("wfr_1", { [HEADER.retryDelay]: "60000" });
  await w.start("wfr_2", { [HEADER.delay]: "1h" });
  await w.engine.idle();
  const { body } = await w.ask("GET", "/v2/workflows/logs?state=STEP_RETRY");
  expect(body.runs).toMatchObject([{ workflowRunId: "wfr_1" }]);
});

it("the log shows what is under way, and what the engine does for a step, as what is next", async () => {
  let seen: { type: string; steps: { stepName?: string; stepType?: string; state?: string }[] } | undefined;
  const w = world(
    inline(async (run) => {
      await run.append([done(1), waits(run.runId, 2, "go")], [key("a"), key("b")]);
      seen = (await run.self.run("wfr_1")).steps.at(-1);
      return run.returned(1);
    }),
  );
  await w.start("wfr_1");
  await w.drain();
  expect(seen?.type).toBe("next");
  expect(seen?.steps.map(({ stepName, state }) => [stepName, state])).toEqual([
    ["a", "STEP_PROGRESS"],
    ["b", "STEP_PROGRESS"],
    ["step2", "STEP_PROGRESS"],
  ]);
  expect(w.events).toContainEqual(
    expect.objectContaining({ type: "step.waiting", step: "step2", eventId: "go", until: START + 3_600_000 }),
  );
});
