import type { FailureFunction, ServeOptions, WorkflowFunction } from "@perdure/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Lab, until } from "./support/lab.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.start();
});
afterEach(() => lab.stop());

async function ended(workflow: WorkflowFunction, options: ServeOptions = {}, body?: unknown) {
  const url = lab.serve(workflow, options);
  return end(url, body);
}

async function end(url: string, body?: unknown) {
  const { workflowRunId } = await lab.client.trigger({ url, body, retries: 0 });
  await lab.drain();
  return lab.client.runs.wait(workflowRunId, { timeout: 0 });
}

const fail = (message: string) => () => {
  throw new RangeError(message);
};
const handled: FailureFunction = () => "handled";

describe("a run that has succeeded", () => {
  it("has its result, and no error", async () => {
    const { result, error } = await ended((context) => context.run("one", () => ({ paid: true })));
    expect([result, error]).toEqual([{ paid: true }, undefined]);
  });

  it("without a result has none", async () => {
    const { result, workflowState } = await ended(() => undefined);
    expect([workflowState, result]).toEqual(["RUN_SUCCESS", undefined]);
  });
});

describe.each([
  ["with a failure function", { failureFunction: handled }],
  ["without one", {}],
])("a run that has failed, %s,", (_, options) => {
  it("has the error of the step that failed", async () => {
    const run = await ended((context) => context.run("pay", fail("too little")), options);
    expect(run).toMatchObject({ workflowState: "RUN_FAILED", result: undefined });
    expect(run.error).toEqual({
      name: "RangeError",
      message: "too little",
      where: "step",
      step: { id: 1, name: "pay", type: "Run" },
    });
  });

  it.each<[string, WorkflowFunction]>([
    ["before-first-step", fail("early")],
    [
      "after-last-step",
      async (context) => {
        await context.run("one", () => 1);
        throw new RangeError("late");
      },
    ],
  ])("has the place of its error: %s", async (where, workflow) => {
    const { error } = await ended(workflow, options);
    expect(error).toMatchObject({ name: "RangeError", where });
    expect(error).not.toHaveProperty("step");
  });

  it("has the page that answered in its endpoint's place", async () => {
    const { error } = await end(lab.at("/page", () => new Response("<h1>down</h1>", { status: 503 })));
    expect(error).toEqual({ name: "WorkflowError", message: "<h1>down</h1>", where: "delivery" });
  });

  it("has the engine's words where its time was over", async () => {
    const { error } = await ended((context) => context.sleep("rest", "2h"), { ...options, timeout: "1h" });
    expect(error).toMatchObject({
      message: "the run has not ended within 3600 s of its start",
      where: "delivery",
    });
  });
});

describe("failResponse in a run's log", () => {
  it("is the one that the failure function gets", async () => {
    let told: string | undefined;
    const { failureFunction } = await ended((context) => context.run("pay", fail("too little")), {
      failureFunction: ({ failResponse }) => {
        told = failResponse;
      },
    });
    expect([told, failureFunction?.failResponse]).toEqual(["too little", "too little"]);
  });
});

describe("a run whose failure function is under way", () => {
  it("has failed already, and can be waited for with it", async () => {
    let finish: (() => void) | undefined;
    const url = lab.serve((context) => context.run("pay", fail("too little")), {
      failureFunction: () => new Promise<string>((resolve) => (finish = () => resolve("released"))),
    });
    const { workflowRunId } = await lab.client.trigger({ url, retries: 0 });
    let waits = true;
    const waited = lab.client.runs.wait(workflowRunId).finally(() => {
      waits = false;
    });
    // The client gives the failure function a second, which the engine counts by its own clock.
    await until(() => {
      if ((lab.clock.next() ?? Infinity) <= lab.clock.now() + 1000) lab.clock.advanceToNext();
      return !waits;
    });
    const run = await waited;
    expect([run.workflowState, run.failureFunction?.state]).toEqual(["RUN_FAILED", "CALLBACK_INPROGRESS"]);
    const whole = lab.client.runs.wait(workflowRunId, { failureFunction: "wait" });
    while (!finish) await new Promise((resolve) => setImmediate(resolve));
    finish();
    expect((await whole).failureFunction).toMatchObject({
      state: "CALLBACK_SUCCESS",
      responseBody: '{"result":"released"}',
    });
  });
});
