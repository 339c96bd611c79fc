import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { APP, failed, historyOf, START, type World, world } from "../harness.ts";
import { app, CHILD, callStep, invokeStep, runStep, THIRD, waitStep, workflow } from "../steps.ts";

const stepsOf = async (w: World) =>
  (await w.run("wfr_1")).steps.slice(1).flatMap((group: { steps: object[] }) => group.steps);

describe("a run's log", () => {
  it("shows of each step what its kind has", async () => {
    const w = world(
      app({
        [APP]: workflow(
          callStep({ method: "POST", body: "hello", headers: { "X-A": "1" } }),
          waitStep("e", "90s"),
          invokeStep("wfr_child"),
        ),
        [THIRD]: () => new Response("fine: é", { status: 202, headers: { "X-B": "2" } }),
        [CHILD]: workflow(),
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    expect(await stepsOf(w)).toMatchObject([
      {
        stepType: "Call",
        state: "STEP_SUCCESS",
        callUrl: THIRD,
        callMethod: "POST",
        callBody: "hello",
        callHeaders: { "X-A": ["1"] },
        callResponseStatus: 202,
        callResponseBody: "fine: é",
        callResponseHeaders: { "X-B": ["2"] },
      },
      {
        stepType: "Wait",
        state: "STEP_SUCCESS",
        waitEventId: "e",
        waitTimeout: true,
        waitTimeoutDuration: "90s",
        waitTimeoutDeadline: START + 90_000,
      },
      {
        stepType: "Invoke",
        state: "STEP_SUCCESS",
        invokedWorkflowRunId: "wfr_child",
        invokedWorkflowUrl: CHILD,
        invokedWorkflowCreatedAt: START + 90_000,
        invokedWorkflowRunBody: '{"for":"child"}',
        invokedWorkflowRunHeaders: {},
      },
    ]);
  });

  it("shows a call that is tried again", async () => {
    const call = callStep({ options: { [HEADER.retries]: "2", [HEADER.retryDelay]: "60000" } });
    const w = world(app({ [APP]: workflow(call), [THIRD]: () => new Response("no", { status: 500 }) }));
    await w.start("wfr_1");
    await w.engine.idle();
    expect(await stepsOf(w)).toMatchObject([
      {
        stepName: "step1",
        stepType: "Call",
        state: "STEP_RETRY",
        callUrl: THIRD,
        retries: 2,
        nextDeliveryTime: START + 60_000,
        errors: [{ status: 500, body: "no", error: "the third party answered 500" }],
      },
    ]);
  });

  it("names a failed step as the workflow does, whatever its characters", async () => {
    const w = world(() => failed(500, "boom", { [HEADER.errorStepName]: "Zahlung pr%C3%BCfen, 100%25" }));
    await w.start("wfr_1");
    await w.engine.idle();
    const name = "Zahlung prüfen, 100%";
    expect((await w.run("wfr_1")).steps.at(-1).steps).toMatchObject([{ stepName: name }]);
    expect(w.events.find(({ type }) => type === "retrying")).toMatchObject({ failedStep: name });
  });

  it("shows who waits, and until when", async () => {
    const w = world(workflow(waitStep("e", "1h")));
    await w.start("wfr_1");
    await w.engine.idle();
    expect(await stepsOf(w)).toMatchObject([
      {
        stepName: "step1",
        stepType: "Wait",
        state: "STEP_PROGRESS",
        waitEventId: "e",
        waitTimeoutDeadline: START + 3_600_000,
      },
    ]);
  });

  it("hides what is to be hidden", async () => {
    const w = world(
      app({
        [APP]: workflow(callStep({ body: "secret", headers: { "X-Key": "secret" } })),
        [THIRD]: () => new Response("secret"),
      }),
    );
    await w.start("wfr_1", { [HEADER.redactFields]: "body,header" }, "secret");
    await w.drain();
    expect(JSON.stringify(await w.run("wfr_1"))).not.toContain("secret");
  });
});

describe("a list of runs", () => {
  it.each([
    ["host=app.test", ["wfr_1"]],
    ["host=app.test,other.test", ["wfr_1", "wfr_2"]],
    ["path=/wf", ["wfr_1"]],
    ["path=/b&path=/wf", ["wfr_1", "wfr_2"]],
    ["callerIp=127.0.0.1&label=two", ["wfr_2"]],
    ["callerIp=1.2.3.4", []],
    ["flowControlKey=k&flowControlKey=other", ["wfr_2"]],
    ["workflowRunId=wfr_1&workflowRunId=wfr_2", ["wfr_1", "wfr_2"]],
  ])("can be filtered by %s", async (query, ids) => {
    const w = world(workflow(runStep, waitStep("e")));
    await w.start("wfr_1");
    await w.ask("POST", "/v2/trigger/https://other.test/b?x=1", {
      headers: {
        [HEADER.runId]: "wfr_2",
        [HEADER.label]: "two",
        [HEADER.flowControlKey]: "k",
        [HEADER.flowControlValue]: "rate=1",
        [HEADER.delay]: "1d",
      },
    });
    await w.engine.idle();
    const { body } = await w.ask("GET", `/v2/workflows/events?groupBy=workflowRunId&${query}`);
    expect(body.runs.map((run: { workflowRunId: string }) => run.workflowRunId).sort()).toEqual(ids);
  });

  it("can be filtered by any of a run's messages", async () => {
    const w = world(workflow(runStep, waitStep("e")));
    await w.start("wfr_1");
    await w.start("wfr_2");
    await w.engine.idle();
    const call = w.calls.findLast((one) => one.headers.get(HEADER.runId) === "wfr_2");
    const id = historyOf(call as never)[1]?.messageId;
    const { body } = await w.ask("GET", `/v2/workflows/logs?messageId=${id}`);
    expect(body.runs).toMatchObject([{ workflowRunId: "wfr_2" }]);
  });
});
