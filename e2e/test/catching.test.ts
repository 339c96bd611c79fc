import {
  type FailureFunctionParams,
  type StepOptions,
  WorkflowNonRetryableError,
  WorkflowStepError,
} from "@perdure/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Lab } from "./support/lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab.stop());

const SECOND = 1000;

/** Runs one step that fails until its `failures` are used up. @returns when its attempts were made, in seconds */
async function attempts(options: StepOptions, failures = Number.POSITIVE_INFINITY) {
  const start = lab.clock.now();
  const made: number[] = [];
  const url = lab.serve((context) =>
    context.run(
      "charge",
      () => {
        made.push((lab.clock.now() - start) / SECOND);
        if (made.length <= failures) throw new Error(`closed ${made.length}`);
        return "charged";
      },
      options,
    ),
  );
  const { workflowRunId } = await lab.client.trigger({ url, retries: 2, retryDelay: "1000" });
  await lab.drain();
  return { made, run: await lab.run(workflowRunId) };
}

describe("a step is tried", () => {
  it.each<[string, StepOptions, number[]]>([
    ["as often as its run says", {}, [0, 1, 2]],
    ["less often where it says so", { retries: 1 }, [0, 1]],
    ["once where it says so", { retries: 0 }, [0]],
    ["more often where it says so", { retries: 4 }, [0, 1, 2, 3, 4]],
    ["after seconds of its own", { retryDelay: 30 }, [0, 30, 60]],
    ["after a duration of its own", { retryDelay: "1m", retries: 1 }, [0, 60]],
    [
      "after what its function says",
      { retryDelay: (retried) => 10 * 2 ** retried, retries: 3 },
      [0, 10, 30, 70],
    ],
  ])("%s", async (_name, options, expected) => {
    const { made, run } = await attempts(options);
    expect(made).toEqual(expected);
    expect(run.workflowState).toBe("RUN_FAILED");
  });

  it("until it succeeds", async () => {
    const { made, run } = await attempts({ retries: 6 }, 5);
    expect(made).toHaveLength(6);
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: '"charged"' });
  });

  it("by its own rule, and the next one by its run's", async () => {
    const made: string[] = [];
    const fail = (name: string) => () => {
      made.push(name);
      throw new Error(name);
    };
    const url = lab.serve(async (context) => {
      await context.run("a", fail("a"), { retries: 4, onExhausted: "throw" }).catch(() => {});
      await context.run("b", fail("b"));
    });
    await lab.client.trigger({ url, retries: 1, retryDelay: "1000" });
    await lab.drain();
    expect(made.join("")).toBe("aaaaabb");
  });
});

describe('a step with `onExhausted: "throw"`', () => {
  const throwing = { onExhausted: "throw" } as const;

  it("rejects with the same error now and on every replay, so that the workflow goes another way", async () => {
    const caught: WorkflowStepError[] = [];
    let tried = 0;
    const url = lab.serve(async (context) => {
      try {
        await context.run(
          "charge",
          () => {
            tried++;
            throw new RangeError(`no money, ${Math.random()}`, { cause: new Error("empty") });
          },
          throwing,
        );
      } catch (error) {
        caught.push(error as WorkflowStepError);
        await context.run("note", () => 1);
        await context.sleep("cool down", 60);
        return "unpaid";
      }
      return "paid";
    });
    const { workflowRunId } = await lab.client.trigger({ url, retries: 2, retryDelay: "1000" });
    await lab.drain();
    expect(await lab.run(workflowRunId)).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: '"unpaid"',
    });
    expect(tried).toBe(3);
    expect(caught.length).toBeGreaterThanOrEqual(2);
    for (const error of caught) {
      expect(error).toBeInstanceOf(WorkflowStepError);
      expect(error.message).toBe(caught[0]?.message);
      expect(error).toMatchObject({
        attempts: 3,
        step: { id: 1, name: "charge", type: "Run" },
        cause: { name: "RangeError", cause: { message: "empty" } },
      });
    }
  });

  it("fails the run with that error, without another attempt, when nothing catches it", async () => {
    let told: FailureFunctionParams | undefined;
    let tried = 0;
    const url = lab.serve(
      async (context) => {
        await context.run("reserve", () => 1);
        await context.run(
          "charge",
          () => {
            tried++;
            throw new Error("closed");
          },
          throwing,
        );
      },
      {
        failureFunction: (params) => {
          told = params;
        },
      },
    );
    const { workflowRunId } = await lab.client.trigger({ url, retries: 1, retryDelay: "1000" });
    await lab.drain();
    expect((await lab.run(workflowRunId)).workflowState).toBe("RUN_FAILED");
    expect(tried).toBe(2);
    expect(told).toMatchObject({
      where: "step",
      step: { id: 2, name: "charge" },
      failResponse: "closed",
      error: { name: "WorkflowStepError", cause: { message: "closed" } },
      steps: [
        { name: "reserve", result: 1 },
        { name: "charge", error: { attempts: 2 } },
      ],
    });
  });

  it("is on record after one attempt when its error forbids another", async () => {
    let tried = 0;
    const url = lab.serve(async (context) => {
      const stolen = () => {
        tried++;
        throw new WorkflowNonRetryableError("stolen");
      };
      return context.run("charge", stolen, throwing).catch((error) => (error as WorkflowStepError).attempts);
    });
    const { workflowRunId } = await lab.client.trigger({ url });
    await lab.drain();
    expect(tried).toBe(1);
    expect((await lab.run(workflowRunId)).workflowRunResponse).toBe("1");
  });

  it("doesn't disturb the others of its group", async () => {
    const url = lab.serve(async (context) => {
      const settled = await Promise.allSettled([
        context.run("a", () => "a"),
        context.run("b", () => Promise.reject(new Error("b")), { ...throwing, retries: 3 }),
        context.run("c", () => Promise.reject(new Error("c")), { ...throwing, retries: 0 }),
      ]);
      return settled.map((one) => (one.status === "fulfilled" ? one.value : one.reason.attempts));
    });
    const { workflowRunId } = await lab.client.trigger({ url, retries: 1, retryDelay: "1000" });
    await lab.drain();
    expect((await lab.run(workflowRunId)).workflowRunResponse).toBe('["a",4,1]');
  });

  it("is kept as failed when its run is resumed", async () => {
    let tried = 0;
    let broken = true;
    const url = lab.serve(async (context) => {
      const way = await context
        .run("charge", () => Promise.reject(new Error(`try ${++tried}`)), throwing)
        .catch(() => "unpaid");
      return context.run("note", () => {
        if (broken) throw new Error("broken");
        return way;
      });
    });
    await lab.client.trigger({ url, retries: 0, workflowRunId: "kept" });
    await lab.drain();
    broken = false;
    const { dlqId = "" } = await lab.run("wfr_kept");
    const { workflowRuns } = await lab.client.dlq.resume(dlqId);
    await lab.drain();
    expect(tried).toBe(1);
    expect((await lab.run(workflowRuns[0]?.workflowRunId ?? "")).workflowRunResponse).toBe('"unpaid"');
  });
});
