import {
  createWorkflow,
  type RollbackOptions,
  type RollbackParams,
  serveMany,
  type WorkflowContext,
  type WorkflowFunction,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
} from "@perdure/core";
import { MODE, MODE_OPTIONS } from "@perdure/test-support/mode";
import { environment } from "@perdure/test-support/process";
import { describe, expect, it } from "vitest";
import { boom, failureFunction, halt, perform, stage, step, undo, useStage } from "./support/stage.ts";

useStage();

describe("the steps of a failed run are rolled back", () => {
  it("in the reverse order of their start, each told its result and the error, before the failure function", async () => {
    const calls: RollbackParams[] = [];
    const id = await perform(async (context) => {
      await step(context, "reserve");
      await context.run("look", () => stage.diary.push("look"));
      await context.run("charge", () => 42, {
        rollback: (params) => {
          calls.push(params);
          stage.diary.push("undo charge");
        },
      });
      await context.run("ship", boom);
    });
    expect(stage.diary).toEqual([
      "reserve",
      "look",
      "boom",
      "undo charge",
      "undo reserve",
      "failure function",
    ]);
    expect(calls).toEqual([
      {
        result: 42,
        error: expect.objectContaining({ message: "boom" }),
        step: { id: 3, name: "charge", type: "Run" },
        attempt: 1,
      },
    ]);
    expect(stage.told?.rollbacks).toEqual([
      { step: { id: 3, name: "charge", type: "Run" }, state: "done", attempts: 1 },
      { step: { id: 1, name: "reserve", type: "Run" }, state: "done", attempts: 1 },
    ]);
    const records = [
      { stepId: 3, stepName: "charge", stepType: "Run", state: "done", attempts: 1 },
      { stepId: 1, stepName: "reserve", stepType: "Run", state: "done", attempts: 1 },
    ];
    const run = await stage.lab.run(id);
    expect(run).toMatchObject({ workflowState: "RUN_FAILED", rollbacks: records });
    const { messages } = await stage.lab.client.dlq.list({ filter: { workflowRunId: id } });
    expect(messages).toMatchObject([{ dlqId: run.dlqId, rollbacks: records }]);
  });

  it.each<[string, (context: WorkflowContext) => Promise<unknown>]>([
    ["the failing one with them", (context) => context.run("charge", boom, undo("charge"))],
    [
      "the failing one, whose retries are used up",
      (context) => context.run("charge", () => Promise.reject(new Error("closed")), undo("charge")),
    ],
    [
      "one whose failure was caught",
      async (context) => {
        const closed = () => Promise.reject(new Error("closed"));
        await context.run("charge", closed, { ...undo("charge"), onExhausted: "throw" }).catch(() => {});
        await context.run("later", boom);
      },
    ],
  ])("%s", async (_name, after) => {
    await perform(async (context) => {
      await step(context, "reserve");
      await after(context);
    });
    expect(stage.diary.filter((entry) => entry !== "boom")).toEqual([
      "reserve",
      "undo charge",
      "undo reserve",
      "failure function",
    ]);
  });

  it("but not those that were never begun", async () => {
    await perform(async (context) => {
      await step(context, "reserve");
      halt();
      await step(context, "charge");
    });
    expect(stage.diary).toEqual(["reserve", "undo reserve", "failure function"]);
  });

  it("of a call, an invocation and a notification", async () => {
    const results: unknown[] = [];
    const rollback = ({ result, step: { name } }: RollbackParams): void => {
      stage.diary.push(`undo ${name}`);
      results.push(result);
    };
    const third = stage.lab.at("/third", () => Response.json({ booked: true }));
    const child = createWorkflow(async (context) => context.run("inner", () => "child's result"));
    const parent = createWorkflow(async (context) => {
      await context.call("call", { url: third, rollback });
      await context.invoke("invoke", { workflow: child, body: {}, rollback });
      await context.notify("notify", "an event", { a: 1 }, undefined, { rollback });
      halt();
    });
    const { handler } = serveMany(
      { child, parent },
      { env: environment(stage.lab.url), failureFunction, ...MODE_OPTIONS },
    );
    stage.lab.at("/child", handler);
    await stage.lab.client.trigger({ url: stage.lab.at("/parent", handler), retries: 0 });
    await stage.lab.drain();
    expect(stage.diary).toEqual(["undo notify", "undo invoke", "undo call", "failure function"]);
    expect(results).toMatchObject([
      { eventId: "an event", eventData: { a: 1 } },
      { body: "child's result", isFailed: false },
      { status: 200, body: { booked: true } },
    ]);
  });

  it("of a call whose answer is still awaited, when the run's time is up", async () => {
    const third = stage.lab.at("/slow", () => new Promise<Response>(() => {}));
    const url = stage.lab.serve(
      async (context) => {
        await step(context, "reserve");
        await context.call("book", { url: third, timeout: 1000, ...undo("book") });
      },
      { failureFunction, timeout: "1m" },
    );
    const { workflowRunId } = await stage.lab.client.trigger({ url });
    while (!stage.diary.includes("failure function")) await stage.lab.beat();
    expect(stage.diary).toEqual(["reserve", "undo book", "undo reserve", "failure function"]);
    expect((await stage.lab.run(workflowRunId)).workflowState).toBe("RUN_FAILED");
  });

  it("of a child that fails, without its parent, which is told of the failure", async () => {
    const child = createWorkflow(async (context) => {
      await step(context, "child's");
      await context.run("fails", boom);
    });
    const parent = createWorkflow(async (context) => {
      await step(context, "parent's");
      const { isFailed } = await context.invoke("invoke", { workflow: child, body: {}, retries: 0 });
      return { isFailed };
    });
    const { handler } = serveMany(
      { child, parent },
      { env: environment(stage.lab.url), failureFunction, ...MODE_OPTIONS },
    );
    stage.lab.at("/child", handler);
    const { workflowRunId } = await stage.lab.client.trigger({
      url: stage.lab.at("/parent", handler),
      retries: 0,
    });
    await stage.lab.drain();
    expect(stage.diary).toEqual(["parent's", "child's", "boom", "undo child's", "failure function"]);
    expect((await stage.lab.run(workflowRunId)).workflowRunResponse).toBe('{"isFailed":true}');
  });

  it("with a history that is too large to be sent along", async () => {
    const large = "x".repeat(400_000);
    const sizes: unknown[] = [];
    const rollback = ({ result }: RollbackParams<string>): void => void sizes.push(result?.length);
    await perform(async (context) => {
      for (let at = 0; at < 5; at++) await context.run(`large ${at}`, () => large, { rollback });
      halt();
    });
    expect(sizes).toEqual([400_000, 400_000, 400_000, 400_000, 400_000]);
    expect(stage.told?.steps).toHaveLength(5);
  });

  it("and an id that belongs to another run by now doesn't mix them up", async () => {
    const large = "x".repeat(1_500_000);
    const results: unknown[] = [];
    let first = true;
    const workflow: WorkflowFunction = async (context) => {
      const rollback = ({ result }: RollbackParams<string>): void => void results.push(result?.at(-1));
      await context.run("large", () => `${large}${context.requestPayload}`, { rollback, rollbackRetries: 0 });
      if (context.requestPayload === 1) halt();
      await context.sleep("rest", "1d");
    };
    const url = stage.lab.at("/wf", async (request) => {
      const handler = stage.lab.handlerOf(workflow, { failureFunction });
      if (request.headers.has("Upstash-Workflow-Is-Failure") && first) {
        first = false;
        await stage.lab.client.trigger({ url, workflowRunId: "twice", body: 2 });
        return new Response(null, { status: 500 });
      }
      return handler(request);
    });
    await stage.lab.client.trigger({ url, workflowRunId: "twice", body: 1 });
    await stage.lab.drain();
    expect(results).toEqual(["1"]);
  });

  it("and nothing is when no step has a rollback: the workflow isn't run for it", async () => {
    let invocations = 0;
    await perform(async (context) => {
      invocations++;
      await context.run("reserve", () => 1);
      halt();
    });
    expect(invocations).toBe(MODE === "inline" ? 1 : 2);
    expect(stage.told?.rollbacks).toEqual([]);
  });
});

describe("of a group, those are rolled back", () => {
  it("that have finished and the one that failed, not those that were never begun", async () => {
    await perform(
      async (context) => {
        await Promise.all([
          step(context, "a"),
          context.run("b", () => Promise.reject(new Error("b")), undo("b")),
          context.sleep("long", "1d").then(() => step(context, "after a day")),
          step(context, "d"),
        ]);
      },
      { inline: false },
      { retries: 2 },
    );
    // The engine delivers them side by side.
    expect(stage.diary.slice(0, 2).sort()).toEqual(["a", "d"]);
    expect(stage.diary.slice(2)).toEqual(["undo d", "undo b", "undo a", "failure function"]);
  });

  it("that were planned and begun, whatever came of them", async () => {
    let tries = 0;
    await perform(async (context) => {
      await Promise.all([
        context.run("flaky", () => Promise.reject(new Error(`${++tries}`)), {
          ...undo("flaky"),
          retries: 9,
          retryDelay: "1h",
        }),
        context.run("fatal", boom, undo("fatal")),
      ]);
    });
    expect(tries).toBe(1);
    expect(stage.diary).toEqual(["boom", "undo fatal", "undo flaky", "failure function"]);
  });

  it("and not those that wait for their turn", async () => {
    await perform(
      async (context) => {
        await Promise.all([
          context.run("fatal", boom, undo("fatal")),
          step(context, "second"),
          step(context, "third"),
        ]);
      },
      { inline: false },
      { flowControl: { key: "one-at-a-time", parallelism: 1 } },
    );
    expect(stage.diary).toEqual(["boom", "undo fatal", "failure function"]);
  });
});

describe("a rollback", () => {
  /** Charges, and fails to undo that so often. */
  const failing =
    (failures: number, more: Omit<RollbackOptions, "rollback">, error = (): Error => new Error("no")) =>
    async (context: WorkflowContext) => {
      await step(context, "first");
      await context.run("charge", () => 1, {
        rollback: ({ attempt }) => {
          stage.diary.push(`undo charge ${attempt} at ${(stage.lab.clock.now() - begun) / 1000}`);
          if (attempt <= failures) throw error();
        },
        ...more,
      });
      await step(context, "last");
      await context.run("fails", () => {
        begun = stage.lab.clock.now();
        boom();
      });
    };
  let begun = 0;

  it.each<[string, number, Omit<RollbackOptions, "rollback">, string[]]>([
    ["is tried again, with the run's retries", 1, {}, ["1 at 0", "2 at 1"]],
    ["is tried as often as it says", 9, { rollbackRetries: 3 }, ["1 at 0", "2 at 1", "3 at 2", "4 at 3"]],
    ["is tried once where it says so", 9, { rollbackRetries: 0 }, ["1 at 0"]],
    ["waits as long as it says", 9, { rollbackRetryDelay: "1m" }, ["1 at 0", "2 at 60"]],
    [
      "waits as its function says",
      9,
      { rollbackRetries: 2, rollbackRetryDelay: (retried) => 5 + retried },
      ["1 at 0", "2 at 5", "3 at 11"],
    ],
  ])("%s, and the others are made in any case", async (_name, failures, more, expected) => {
    const id = await perform(failing(failures, more));
    expect(stage.diary.slice(stage.diary.indexOf("boom") + 1)).toEqual([
      "undo last",
      ...expected.map((attempt) => `undo charge ${attempt}`),
      "undo first",
      "failure function",
    ]);
    const failed = expected.length <= failures;
    expect(stage.told?.rollbacks).toMatchObject([
      { step: { name: "last" }, state: "done" },
      {
        step: { name: "charge" },
        state: failed ? "failed" : "done",
        attempts: expected.length,
        ...(failed ? { error: { message: "no" } } : {}),
      },
      { step: { name: "first" }, state: "done" },
    ]);
    expect((await stage.lab.run(id)).rollbacks).toHaveLength(3);
  });

  it.each<[string, Error, string[]]>([
    ["isn't tried again after an error that forbids it", new WorkflowNonRetryableError("never"), ["1 at 0"]],
    ["waits as long as its error says", new WorkflowRetryAfterError("later", "90s"), ["1 at 0", "2 at 90"]],
  ])("%s", async (_name, error, expected) => {
    await perform(failing(9, {}, () => error));
    expect(stage.diary.filter((entry) => entry.startsWith("undo charge"))).toEqual(
      expected.map((attempt) => `undo charge ${attempt}`),
    );
  });

  it("that takes too long has failed", async () => {
    await perform(async (context) => {
      await context.run("charge", () => 1, {
        rollback: () => {
          stage.diary.push("undo charge");
          return new Promise(() => {});
        },
        rollbackTimeout: 0.02,
        rollbackRetries: 1,
      });
      halt();
    });
    expect(stage.diary).toEqual(["undo charge", "undo charge", "failure function"]);
    expect(stage.told?.rollbacks).toMatchObject([
      { state: "failed", attempts: 2, error: { message: /0.02 s/ } },
    ]);
  });

  it("isn't made again once it is on record, though the engine dies after it", async () => {
    const url = stage.lab.serve(
      async (context) => {
        for (const name of ["a", "b", "c"]) await step(context, name);
        halt();
      },
      { failureFunction },
    );
    const { workflowRunId } = await stage.lab.client.trigger({ url, retries: 0 });
    for (let recorded = 1; recorded <= 3; recorded++) {
      while (((await stage.lab.run(workflowRunId)).rollbacks ?? []).length < recorded)
        await new Promise((resolve) => setImmediate(resolve));
      await stage.lab.crash();
    }
    await stage.lab.drain();
    expect([...new Set(stage.diary)]).toEqual([
      "a",
      "b",
      "c",
      "undo c",
      "undo b",
      "undo a",
      "failure function",
    ]);
    expect((await stage.lab.run(workflowRunId)).rollbacks).toHaveLength(3);
  });

  it("is made again when its outcome got lost", async () => {
    let lost = false;
    const handler = stage.lab.handlerOf(
      async (context) => {
        await step(context, "a");
        await step(context, "b");
        halt();
      },
      { failureFunction },
    );
    const url = stage.lab.at("/wf", async (request) => {
      const answer = await handler(request);
      if (lost || !answer.headers.has("Perdure-Rollback")) return answer;
      lost = true;
      return new Response("", { status: 502 });
    });
    await stage.lab.client.trigger({ url, retries: 1, retryDelay: "1000" });
    await stage.lab.drain();
    expect(stage.diary).toEqual(["a", "b", "undo b", "undo b", "undo a", "failure function"]);
    expect(stage.told?.rollbacks).toMatchObject([{ attempts: 2 }, { attempts: 1 }]);
  });
});
