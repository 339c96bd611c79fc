import { type WorkflowContext as Context, WorkflowNonRetryableError } from "@perdure/core";
import { HEADER } from "@perdure/core/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import { perform, resume, stage, useStage } from "./support/stage.ts";

useStage();

/** Headers of the deliveries that the workflow's endpoint got. */
let deliveries: Headers[] = [];
beforeEach(() => {
  deliveries = [];
});

/** Counts the deliveries of a run's history. */
const counting = {
  authorize: async (request: { readonly headers: Headers }) => {
    if (request.headers.has(HEADER.lease)) deliveries.push(request.headers);
    return true;
  },
};

describe("inline execution, this package's runtime on this package's engine", () => {
  it("runs ten steps in one delivery", async () => {
    const runId = await perform(async (context) => {
      let sum = 0;
      for (let id = 1; id <= 10; id++) sum += await context.run(`step ${id}`, () => id);
      return sum;
    }, counting);
    const run = await stage.lab.run(runId);
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: "55" });
    expect(run.steps).toHaveLength(11);
    expect(run.steps[1]?.steps[0]).toMatchObject({
      startedAt: expect.any(Number),
      durationMs: expect.any(Number),
    });
    expect(deliveries).toHaveLength(1);
  });

  it("runs the branches of a group in one delivery, each at its own pace", async () => {
    const runId = await perform(async (context) => {
      const branch = async (name: string) => {
        for (const part of [1, 2, 3]) await context.run(`${name} ${part}`, () => part);
        return name;
      };
      return Promise.all([branch("a"), branch("b"), branch("c")]);
    }, counting);
    expect(await stage.lab.run(runId)).toMatchObject({ workflowRunResponse: '["a","b","c"]' });
    expect(deliveries).toHaveLength(1);
  });

  it("takes up after a sleep, an event's time-out and a call", async () => {
    const url = stage.lab.at("/called", () => Response.json({ called: true }));
    const runId = await perform(async (context) => {
      await context.run("first", () => 1);
      await context.sleep("rest", "1h");
      const { timeout } = await context.waitForEvent("wait", "never", { timeout: "1h" });
      const { body } = await context.call<{ called: boolean }>("call", { url });
      return context.run("last", () => ({ timeout, ...body }));
    }, counting);
    expect(await stage.lab.run(runId)).toMatchObject({
      workflowRunResponse: '{"timeout":true,"called":true}',
    });
    expect(deliveries).toHaveLength(4);
  });

  it.each([
    ["a sleep until a moment in the past", (context: Context) => context.sleepUntil("rest", new Date(0))],
    ["a sleep of no time", (context: Context) => context.sleep("rest", 0)],
    ["two at once", (context: Context) => Promise.all([context.sleep("one", 0), context.sleep("other", 0)])],
    [
      "a sleep that is over beside a long one",
      (context: Context) =>
        Promise.race([context.sleepUntil("short", new Date(0)), context.sleep("long", "1h")]),
    ],
  ])("goes on after a result that is too long for an answer, before %s", async (_, rest) => {
    const runId = await perform(async (context) => {
      const { length } = await context.run("load", () => "x".repeat(200_000));
      await rest(context);
      return length;
    });
    expect(await stage.lab.run(runId)).toMatchObject({ workflowRunResponse: "200000" });
  });

  it("retries a step by its own count, beside a branch that goes on", async () => {
    let attempts = 0;
    const runId = await perform(async (context) => {
      const flaky = context.run(
        "flaky",
        ({ attempt }) => {
          attempts++;
          if (attempt < 3) throw new Error("not yet");
          return attempt;
        },
        { retries: 5, retryDelay: "10m" },
      );
      const steady = context.run("steady", () => "done");
      return Promise.all([flaky, steady]);
    }, counting);
    expect(await stage.lab.run(runId)).toMatchObject({ workflowRunResponse: '[3,"done"]' });
    expect(attempts).toBe(3);
  });

  it("resumes with what is on record, under the same idempotency keys", async () => {
    const keys = new Set<string>();
    const runId = await perform(async (context) => {
      await context.run("kept", () => stage.diary.push("kept"));
      await context.run("charge", ({ idempotencyKey }) => {
        keys.add(idempotencyKey);
        stage.diary.push("charge");
        if (keys.size === 1 && stage.diary.filter((one) => one === "charge").length === 1)
          throw new WorkflowNonRetryableError("declined");
      });
    });
    expect(await stage.lab.run(runId)).toMatchObject({ workflowState: "RUN_FAILED" });
    const resumed = await resume(runId);
    expect(await stage.lab.run(resumed)).toMatchObject({ workflowState: "RUN_SUCCESS" });
    expect(stage.diary.filter((one) => one !== "failure function")).toEqual(["kept", "charge", "charge"]);
    expect(keys.size).toBe(1);
  });
});
