import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { stateOf } from "../crashing.ts";
import { isFailure, START, world } from "../harness.ts";
import { CAPABILITIES, done, fails, inline, key, ONLY, waits } from "./invocation.ts";

const SECOND = 1000;
const RETRY = { [HEADER.retries]: "2", [HEADER.retryDelay]: "1000" };
const times = (calls: readonly { at: number }[]): number[] => calls.map(({ at }) => at - START);

describe("attempts are counted per step", () => {
  it("so the second step that fails gets all of its own", async () => {
    const w = world(
      inline((run) => {
        const made = (name: string): number => run.attempts.filter(({ step }) => step.name === name).length;
        if (made("step1") < 2) return run.failed(key("step1"));
        if (made("step2") < 2)
          return run.failed(key("step2"), run.results.size < 1 ? { records: [done(1)] } : {});
        return run.returned(
          run.attempts.map(({ step, attempt }) => `${step.name} ${attempt}`),
          done(2),
        );
      }),
    );
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect(await stateOf(w)).toBe("RUN_SUCCESS");
    expect(JSON.parse((await w.run("wfr_1")).workflowRunResponse)).toEqual([
      "step1 1",
      "step1 2",
      "step2 1",
      "step2 2",
    ]);
    expect(times(w.calls)).toEqual([0, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND]);
    expect(w.calls.map(({ headers }) => headers.get(HEADER.retried))).toEqual(["0", "1", "2", "1", "2"]);
  });

  it("and are over when the step has failed once more than it may be retried", async () => {
    const w = world(inline((run) => run.failed(key("step1"), run.nth === 1 ? { records: [done(9)] } : {})));
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect(w.calls.filter((call) => !isFailure(call))).toHaveLength(3);
    expect(await stateOf(w)).toBe("RUN_FAILED");
    const run = await w.run("wfr_1");
    expect(run.workflowRunError).toMatchObject({ message: "boom", where: "step", step: { name: "step1" } });
    expect(run.failureFunction.state).toBe("CALLBACK_SUCCESS");
  });

  it("and the log has the type of the step that failed last, as of the others", async () => {
    const w = world(inline((run) => run.failed(key("step1"))));
    await w.start("wfr_1", RETRY);
    await w.drain();
    const failed = (await w.run("wfr_1")).steps.at(-1).steps.at(-1);
    expect(failed).toMatchObject({ stepName: "step1", stepType: "Run", state: "STEP_FAILED" });
  });

  it("by the answer's own number of retries and wait, as without inline execution", async () => {
    const own = { [HEADER.maxRetries]: "1", [HEADER.retryAfter]: "7" };
    const w = world(inline((run) => run.failed(key("step1"), { headers: own })));
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect(times(w.calls.filter((call) => !isFailure(call)))).toEqual([0, 7 * SECOND]);
    expect(await stateOf(w)).toBe("RUN_FAILED");
  });

  it("and a failure that another attempt wouldn't help is the last", async () => {
    const w = world(inline((run) => run.failed(key("step1"), { status: 489 })));
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect(w.calls.filter((call) => !isFailure(call))).toHaveLength(1);
    expect(await stateOf(w)).toBe("RUN_FAILED");
  });
});

describe("a failed attempt beside other steps", () => {
  it("is answered with the time of the next one, by the step's policy, then the run's", async () => {
    const seen: unknown[] = [];
    const w = world(
      inline(async (run) => {
        seen.push(
          ...(await run.append([
            fails(key("a"), 1),
            fails(key("b"), 1, { retries: 0 }),
            fails(key("c"), 1, { delayMs: 5 }),
            fails(key("d"), 3),
            fails(key("e"), 1, { final: true }),
          ])),
        );
        return run.returned(1);
      }),
    );
    await w.start("wfr_1", RETRY);
    await w.drain();
    expect(seen).toEqual([
      { own: 0, retryAt: START + SECOND },
      { own: 1, exhausted: true },
      { own: 2, retryAt: START + 5 },
      { own: 3, exhausted: true },
      { own: 4, exhausted: true },
    ]);
  });

  it("wakes a parked run at its time, and an earlier wake doesn't swallow it", async () => {
    const w = world(
      inline((run) => {
        if (run.nth === 1)
          return run.park(waits(run.runId, 1, "go"), fails(key("flaky"), 1, { delayMs: 10 * SECOND }));
        return run.results.has("flaky") || run.nth === 3 ? run.returned([...run.results.keys()]) : run.park();
      }),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    await w.ask("POST", "/v2/notify/go");
    await w.drain();
    expect(times(w.calls)).toEqual([0, 0, 10 * SECOND]);
  });

  it("of a step that has its result by now doesn't wake the run", async () => {
    const again = key("twice", 2);
    const w = world(
      inline((run) => {
        if (run.nth > 1) return run.returned([...run.results.keys()]);
        return run.park(
          fails(again, 1, { delayMs: SECOND }),
          done(1, { stepName: "twice" }),
          done(2, { stepName: "twice", nth: 2 }),
          waits(run.runId, 3, "never", "1h"),
        );
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(times(w.calls)).toEqual([0, 3_600_000]);
  });

  it("of one of two steps with the same name wakes the run", async () => {
    const w = world(
      inline((run) => {
        if (run.nth > 1) return run.returned([...run.results.keys()]);
        return run.park(
          fails(key("twice"), 1, { delayMs: SECOND }),
          done(2, { stepName: "twice", nth: 2 }),
          waits(run.runId, 3, "never", "1h"),
        );
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(times(w.calls)).toEqual([0, SECOND]);
  });

  it("is shown by the log with its error and its next attempt, and told to observers", async () => {
    const w = world(
      inline((run) =>
        run.nth === 1
          ? run.park(
              done(1, { startedAt: START - 5, durationMs: 5 }),
              fails(key("flaky"), 1, { delayMs: 10 * SECOND }),
            )
          : run.returned(1, done(2, { stepName: "flaky" })),
      ),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    const next = (await w.run("wfr_1")).steps.at(-1);
    expect(next.type).toBe("next");
    expect(next.steps).toContainEqual(
      expect.objectContaining({
        stepName: "flaky",
        state: "STEP_RETRY",
        nextDeliveryTime: START + 10 * SECOND,
        errors: [expect.objectContaining({ error: "boom", status: 500, time: START })],
      }),
    );
    expect(w.events).toContainEqual({
      type: "step.failed",
      runId: "wfr_1",
      step: "flaky",
      stepType: "Run",
      attempt: 1,
      error: "boom",
      wait: 10 * SECOND,
    });
    await w.drain();
    const { steps } = await w.run("wfr_1");
    expect(steps[1].steps[0]).toMatchObject({ stepName: "step1", startedAt: START - 5, durationMs: 5 });
    expect(steps[2].steps[0]).toMatchObject({
      stepName: "flaky",
      state: "STEP_SUCCESS",
      errors: [{ error: "boom" }],
    });
    expect(w.events).toContainEqual(
      expect.objectContaining({ type: "step.recorded", step: "step1", startedAt: START - 5, durationMs: 5 }),
    );
  });
});

it("a throw outside of steps is retried with the delivery, and its records are kept", async () => {
  const w = world(
    inline((run) => {
      if (run.nth > 1) return run.returned([...run.results.keys()]);
      const body = {
        error: "Error",
        message: "between steps",
        perdure: { invocation: ONLY, after: run.after, records: [done(1)] },
      };
      return new Response(JSON.stringify(body), {
        status: 500,
        headers: {
          "content-type": "application/json",
          [HEADER.sdkVersion]: "1",
          [HEADER.lease]: run.lease,
          ...CAPABILITIES,
        },
      });
    }),
  );
  await w.start("wfr_1", RETRY);
  await w.drain();
  expect((await w.run("wfr_1")).workflowRunResponse).toBe('["step1"]');
  expect(w.events).toContainEqual(
    expect.objectContaining({ type: "retrying", error: "between steps", wait: SECOND }),
  );
});

it("records that can't be accepted fail the run for good, and their work isn't repeated", async () => {
  const w = world(
    inline((run) => run.returned(1, done(1, { out: "x".repeat(5000) }))),
    { limits: { messageBytes: 1000 } },
  );
  await w.start("wfr_1", RETRY);
  await w.drain();
  expect(w.calls.filter((call) => !isFailure(call))).toHaveLength(1);
  expect((await w.run("wfr_1")).workflowRunError.message).toContain("limits.messageBytes");
});
