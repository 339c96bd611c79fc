import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { checked, describedApi } from "../described.ts";
import {
  failed,
  historyOf,
  isFailure,
  ok,
  result,
  START,
  sequence,
  until,
  type World,
  world,
} from "../harness.ts";
import { done, fails, inline, key, sleeps, waits } from "../inline/invocation.ts";
import { app, CHILD, callStep, createHook, invokeStep, runStep, waitStep, workflow } from "../steps.ts";

const APP = "https://app.test/wf";

const overview = async (w: World, id = "wfr_1"): Promise<ReturnType<typeof JSON.parse>> =>
  (await w.ask("GET", `/v2/workflows/runs/${id}/overview`)).body;
const reasons = async (w: World, id?: string): Promise<ReturnType<typeof JSON.parse>> =>
  (await overview(w, id)).waitsFor;
const steps = async (w: World, query = ""): Promise<ReturnType<typeof JSON.parse>> =>
  (await w.ask("GET", `/v2/workflows/runs/wfr_1/steps${query}`)).body;

describe("what a run waits for", () => {
  it("an event, until its time is over", async () => {
    const w = world(workflow(waitStep("approval", "1h")));
    await w.start("wfr_1");
    await w.engine.idle();
    expect(await reasons(w)).toEqual([
      {
        kind: "event",
        stepName: "step1",
        eventId: "approval",
        until: START + 3_600_000,
        text: 'step "step1" waits for event "approval" until 2030-01-01T01:00:00.000Z',
      },
    ]);
  });

  it("a webhook", async () => {
    const w = world(workflow(createHook, waitStep("hook", "1h", "WaitForWebhook")));
    await w.start("wfr_1");
    await w.engine.idle();
    expect(await reasons(w)).toMatchObject([{ kind: "webhook", stepName: "step2", eventId: "hook" }]);
  });

  it("a child, a call, and a sleep", async () => {
    const w = world(
      app({
        [APP]: inline((run) =>
          run.runId === "wfr_2" ? run.park(sleeps(1, START + 5000), waits("wfr_2", 2, "go")) : ok(),
        ),
      }),
    );
    await w.start("wfr_2");
    await w.engine.idle();
    expect(await reasons(w, "wfr_2")).toMatchObject([
      { kind: "sleep", stepName: "step1", until: START + 5000 },
      { kind: "event", stepName: "step2", eventId: "go" },
    ]);
    const other = world(app({ [APP]: workflow(invokeStep("wfr_child")), [CHILD]: workflow(waitStep("x")) }));
    await other.start("wfr_1");
    await other.engine.idle();
    expect(await reasons(other)).toMatchObject([
      { kind: "child", stepName: "step1", workflowRunId: "wfr_child" },
    ]);
    const third = world((call, self) =>
      call.url === APP ? workflow(callStep({ options: { [HEADER.delay]: "1h" } }))(call, self) : ok(),
    );
    await third.start("wfr_1");
    await third.engine.idle();
    expect(await reasons(third)).toMatchObject([
      { kind: "call", stepName: "step1", url: "https://third.test/api", attempt: 1, attempts: 1 },
    ]);
  });

  it("a retry, by its number", async () => {
    const w = world(() => failed(500, "boom"));
    await w.start("wfr_1", { [HEADER.retries]: "4", [HEADER.retryDelay]: "60000" });
    await w.engine.idle();
    expect(await reasons(w)).toEqual([
      {
        kind: "retry",
        attempt: 2,
        attempts: 5,
        at: START + 60_000,
        text: "attempt 2 of 5 begins at 2030-01-01T00:01:00.000Z",
      },
    ]);
  });

  it("a retry that the run's own retries don't allow, because a page has answered in the workflow's place", async () => {
    const page = (): Response => new Response("<h1>Log in</h1>", { status: 403 });
    const steps = sequence(2);
    const w = world((call, self) => (historyOf(call).length > 1 ? page() : steps(call, self)));
    await w.start("wfr_1", { [HEADER.retries]: "0", [HEADER.retryDelay]: "60000" });
    await w.engine.idle();
    expect(await reasons(w)).toMatchObject([{ kind: "retry", attempt: 2, attempts: 2 }]);
  });

  it("the retries of steps that failed inline", async () => {
    const w = world(inline((run) => run.park(fails(key("pay"), 2, { retries: 4, delayMs: 60_000 }))));
    await w.start("wfr_1");
    await w.engine.idle();
    expect(await reasons(w)).toMatchObject([{ kind: "retry", stepName: "pay", attempt: 3, attempts: 5 }]);
  });

  it("a flow control key that is full, paused, or has begun enough", async () => {
    const w = world(() => new Promise<Response>(() => {}));
    const flow = (key: string, value: string) => ({
      [HEADER.flowControlKey]: key,
      [HEADER.flowControlValue]: value,
    });
    await w.start("wfr_a", flow("stripe", "parallelism=1"));
    await w.start("wfr_b", flow("stripe", "parallelism=1"));
    await w.start("wfr_c", flow("mail", "rate=1,period=1m"));
    await w.start("wfr_d", flow("mail", "rate=1,period=1m"));
    await w.ask("POST", "/v2/flowControl/off/pause");
    await w.start("wfr_e", flow("off", "parallelism=1"));
    const settled = async (): Promise<boolean> =>
      (await reasons(w, "wfr_e"))[0]?.kind === "flowControl" &&
      (await reasons(w, "wfr_d"))[0]?.kind === "flowControl";
    await until(settled);
    expect(await reasons(w, "wfr_a")).toMatchObject([{ kind: "delivering" }]);
    expect(await reasons(w, "wfr_b")).toEqual([
      {
        kind: "flowControl",
        key: "stripe",
        reason: "parallelism",
        active: 1,
        limit: 1,
        waiting: 1,
        text: 'flow control key "stripe" has 1 of 1 deliveries in progress',
      },
    ]);
    expect(await reasons(w, "wfr_d")).toMatchObject([
      { kind: "flowControl", key: "mail", reason: "rate", active: 1, limit: 1, at: START + 60_000 },
    ]);
    expect(await reasons(w, "wfr_e")).toMatchObject([
      { reason: "paused", text: 'flow control key "off" is paused' },
    ]);
  });

  it("the failure function, and nothing once it has answered", async () => {
    let answer = (_: Response): void => {};
    const asked = new Promise<Response>((resolve) => {
      answer = resolve;
    });
    const w = world((call) => (isFailure(call) ? asked : failed(489, "boom")));
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await until(() => w.calls.some(isFailure));
    expect(await reasons(w)).toEqual([
      { kind: "failureFunction", text: "the failure function is called now" },
    ]);
    answer(ok('"told"'));
    await w.engine.idle();
    expect(await reasons(w)).toEqual([]);
  });
});

describe("the overview of a run", () => {
  it("tells its payload, its result and its relatives", async () => {
    const w = world(app({ [APP]: workflow(invokeStep("wfr_child"), runStep), [CHILD]: workflow(runStep) }));
    await w.start("wfr_1", { [HEADER.label]: "eu", "Upstash-Forward-X-A": "1" }, '{"order":7}');
    await w.drain();
    expect(await overview(w)).toMatchObject({
      workflowRunId: "wfr_1",
      workflowState: "RUN_SUCCESS",
      labels: ["eu"],
      payload: '{"order":7}',
      payloadHeaders: { "X-A": ["1"] },
      workflowRunResponse: '"all done"',
      stepCount: 2,
      inline: false,
      children: [{ workflowRunId: "wfr_child", workflowState: "RUN_SUCCESS", stepName: "step1" }],
      waitsFor: [],
    });
    expect((await overview(w, "wfr_child")).invoker).toMatchObject({ workflowRunId: "wfr_1" });
  });

  it("tells the story of a failure, and which run has resumed it", async () => {
    const w = world((call) => (isFailure(call) ? ok('"told"') : failed(500, "card declined")));
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await w.engine.idle();
    const failure = await overview(w);
    expect(failure).toMatchObject({
      workflowState: "RUN_FAILED",
      error: { name: "Error", message: "card declined" },
      failureFunction: { state: "CALLBACK_SUCCESS", responseBody: '"told"' },
    });
    const { body } = await w.ask("POST", `/v2/workflows/dlq/resume/${failure.dlqId}`);
    expect((await overview(w)).resumedAs).toMatchObject({ workflowRunId: body.workflowRunId });
    expect((await overview(w, body.workflowRunId)).resumedFrom).toBe("wfr_1");
  });

  it("shows what is redacted as a hash only", async () => {
    const w = world(() => ok());
    await w.start("wfr_1", { [HEADER.delay]: "1h", "Upstash-Redact-Fields": "body" }, "secret");
    const shown = await overview(w);
    expect(shown.payload).toMatch(/^REDACTED:/);
    expect(JSON.stringify([shown, await steps(w)])).not.toContain("secret");
  });

  it.each(["overview", "steps"])("%s of a run that never was is 404", async (what) => {
    const answer = await world().ask("GET", `/v2/workflows/runs/wfr_x/${what}`);
    expect(answer).toMatchObject({ status: 404, body: { error: expect.stringContaining("wfr_x") } });
  });
});

describe("the steps of a run", () => {
  it("come in pages, and what is in progress on the last one", async () => {
    const w = world(
      inline(async (run) => {
        for (let id = 1; id <= 5; id++) await run.append([done(id)]);
        return run.park(waits("wfr_1", 6, "go"));
      }),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    const names: string[][] = [];
    for (let cursor: string | undefined = ""; cursor !== undefined; ) {
      const page = await steps(w, `?count=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
      names.push(page.steps.map(({ stepName }: { stepName: string }) => stepName));
      cursor = page.cursor;
    }
    expect(names).toEqual([
      ["init", "step1"],
      ["step2", "step3"],
      ["step4", "step5", "step6"],
    ]);
    expect((await steps(w)).steps.at(-1)).toMatchObject({
      stepId: 6,
      stepType: "Wait",
      state: "STEP_PROGRESS",
      waitEventId: "go",
    });
  });

  it("that ran side by side inline are one group, also in the log of runs", async () => {
    const times = (startedAt: number, durationMs: number) => ({
      startedAt,
      durationMs,
      parallel: true as const,
    });
    const w = world(
      inline(async (run) => {
        await run.append([done(1, { startedAt: START, durationMs: 1 })]);
        await run.append([done(2, times(START + 5, 10)), done(3, times(START + 5, 20))]);
        return run.returned("done", done(4, { startedAt: START + 40, durationMs: 1 }));
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    const shown = (await steps(w)).steps as { stepId?: number; group?: number }[];
    expect(shown.map(({ stepId, group }) => [stepId, group])).toEqual([
      [undefined, undefined],
      [1, undefined],
      [2, 3],
      [3, 3],
      [4, undefined],
    ]);
    const log = (await w.run("wfr_1")).steps as { type: string; steps: { stepName: string }[] }[];
    expect(log.map(({ type, steps: of }) => [type, ...of.map(({ stepName }) => stepName)])).toEqual([
      ["sequential", "init"],
      ["sequential", "step1"],
      ["parallel", "step2", "step3"],
      ["sequential", "step4"],
    ]);
    const second = await steps(w, "?count=3");
    expect((await steps(w, `?count=3&cursor=${second.cursor}`)).steps[0]).toMatchObject({
      stepId: 3,
      group: 3,
    });
  });

  it("of a planned group have its number before they have results", async () => {
    const w = world((_, self) =>
      self.calls.length === 1
        ? self
            .append("wfr_1", [
              result(0, { targetStep: 1, stepName: "a", concurrent: 2 }),
              result(0, { targetStep: 2, stepName: "b", concurrent: 2 }),
            ])
            .then(() => ok())
        : new Promise<Response>(() => {}),
    );
    await w.start("wfr_1");
    await until(() => w.calls.length === 3);
    expect((await steps(w)).steps.slice(0, 3)).toMatchObject([
      { stepName: "init" },
      { stepName: "a", state: "STEP_PROGRESS", group: 2 },
      { stepName: "b", state: "STEP_PROGRESS", group: 2 },
    ]);
  });

  it("show the attempts that failed, and the next one", async () => {
    const w = world(inline((run) => run.park(fails(key("pay"), 1, { retries: 4, delayMs: 60_000 }))));
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await steps(w)).steps.at(-1)).toMatchObject({
      stepName: "pay",
      state: "STEP_RETRY",
      nextDeliveryTime: START + 60_000,
      errors: [{ error: "boom", status: 500 }],
    });
  });
});

it("answers as it is described", async () => {
  const w = world(app({ [APP]: workflow(invokeStep("wfr_child")), [CHILD]: workflow(waitStep("go")) }));
  await w.start("wfr_1");
  await w.engine.idle();
  const { ask, missing } = checked(w, await describedApi());
  for (const id of ["wfr_1", "wfr_child"]) {
    await ask("GET", `/v2/workflows/runs/${id}/overview`);
    await ask("GET", `/v2/workflows/runs/${id}/steps`);
  }
  expect(missing("workflows").filter((name) => /overview|steps/.test(name))).toEqual([]);
});
