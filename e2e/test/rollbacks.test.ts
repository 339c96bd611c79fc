import {
  createWorkflow,
  type FailureFunctionParams,
  type RollbackOptions,
  type RollbackParams,
  type ServeOptions,
  serveMany,
  type WorkflowContext,
  type WorkflowFunction,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
} from "@perdure/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Gate, Lab, until } from "./support/lab.ts";
import { environment } from "./support/views.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab.stop());

/** What has happened, in order. */
let diary: string[] = [];
let told: FailureFunctionParams | undefined;
beforeEach(() => {
  diary = [];
  told = undefined;
});

const failureFunction = (params: FailureFunctionParams): void => {
  diary.push("failure function");
  told = params;
};

function undo(name: string, more: Omit<RollbackOptions, "rollback"> = {}): RollbackOptions {
  return { rollback: () => void diary.push(`undo ${name}`), ...more };
}

function step(context: WorkflowContext, name: string, more: Omit<RollbackOptions, "rollback"> = {}) {
  const work = () => {
    diary.push(name);
    return `${name} done`;
  };
  return context.run(name, work, undo(name, more));
}

const boom = (): never => {
  diary.push("boom");
  throw new WorkflowNonRetryableError("boom");
};

/** Beside the steps: with every invocation, and when the workflow is only asked for its rollbacks. */
const halt = (): never => {
  throw new WorkflowNonRetryableError("boom");
};

/** Runs a workflow until nothing of it is left to do. */
async function perform(
  workflow: WorkflowFunction,
  options: ServeOptions = {},
  trigger: object = {},
): Promise<string> {
  const url = lab.serve(workflow, { failureFunction, ...options });
  const { workflowRunId } = await lab.client.trigger({
    url,
    retries: 1,
    retryDelay: "1000",
    body: { id: "o-1" },
    ...trigger,
  });
  await lab.drain();
  return workflowRunId;
}

async function resume(runId: string): Promise<string> {
  const { dlqId = "" } = await lab.run(runId);
  const { workflowRuns } = await lab.client.dlq.resume(dlqId);
  await lab.drain();
  return workflowRuns[0]?.workflowRunId ?? "";
}

describe("the steps of a failed run are rolled back", () => {
  it("in the reverse order of their start, each told its result and the error, before the failure function", async () => {
    const calls: RollbackParams[] = [];
    const id = await perform(async (context) => {
      await step(context, "reserve");
      await context.run("look", () => diary.push("look"));
      await context.run("charge", () => 42, {
        rollback: (params) => {
          calls.push(params);
          diary.push("undo charge");
        },
      });
      await context.run("ship", boom);
    });
    expect(diary).toEqual(["reserve", "look", "boom", "undo charge", "undo reserve", "failure function"]);
    expect(calls).toEqual([
      {
        result: 42,
        error: expect.objectContaining({ message: "boom" }),
        step: { id: 3, name: "charge", type: "Run" },
        attempt: 1,
      },
    ]);
    expect(told?.rollbacks).toEqual([
      { step: { id: 3, name: "charge", type: "Run" }, state: "done", attempts: 1 },
      { step: { id: 1, name: "reserve", type: "Run" }, state: "done", attempts: 1 },
    ]);
    const records = [
      { stepId: 3, stepName: "charge", stepType: "Run", state: "done", attempts: 1 },
      { stepId: 1, stepName: "reserve", stepType: "Run", state: "done", attempts: 1 },
    ];
    const run = await lab.run(id);
    expect(run).toMatchObject({ workflowState: "RUN_FAILED", rollbacks: records });
    const { messages } = await lab.client.dlq.list({ filter: { workflowRunId: id } });
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
    expect(diary.filter((entry) => entry !== "boom")).toEqual([
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
    expect(diary).toEqual(["reserve", "undo reserve", "failure function"]);
  });

  it("of a call, an invocation and a notification", async () => {
    const results: unknown[] = [];
    const rollback = ({ result, step: { name } }: RollbackParams): void => {
      diary.push(`undo ${name}`);
      results.push(result);
    };
    const third = lab.at("/third", () => Response.json({ booked: true }));
    const child = createWorkflow(async (context) => context.run("inner", () => "child's result"));
    const parent = createWorkflow(async (context) => {
      await context.call("call", { url: third, rollback });
      await context.invoke("invoke", { workflow: child, body: {}, rollback });
      await context.notify("notify", "an event", { a: 1 }, undefined, { rollback });
      halt();
    });
    const { handler } = serveMany({ child, parent }, { env: environment(lab.url), failureFunction });
    lab.at("/child", handler);
    await lab.client.trigger({ url: lab.at("/parent", handler), retries: 0 });
    await lab.drain();
    expect(diary).toEqual(["undo notify", "undo invoke", "undo call", "failure function"]);
    expect(results).toMatchObject([
      { eventId: "an event", eventData: { a: 1 } },
      { body: "child's result", isFailed: false },
      { status: 200, body: { booked: true } },
    ]);
  });

  it("of a call whose answer is still awaited, when the run's time is up", async () => {
    const third = lab.at("/slow", () => new Promise<Response>(() => {}));
    const url = lab.serve(
      async (context) => {
        await step(context, "reserve");
        await context.call("book", { url: third, timeout: 1000, ...undo("book") });
      },
      { failureFunction, timeout: "1m" },
    );
    const { workflowRunId } = await lab.client.trigger({ url });
    for (let at = 0; at < 50 && !diary.includes("failure function"); at++) {
      lab.clock.advance(5000);
      await until(() => true);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(diary).toEqual(["reserve", "undo book", "undo reserve", "failure function"]);
    expect((await lab.run(workflowRunId)).workflowState).toBe("RUN_FAILED");
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
    const { handler } = serveMany({ child, parent }, { env: environment(lab.url), failureFunction });
    lab.at("/child", handler);
    const { workflowRunId } = await lab.client.trigger({ url: lab.at("/parent", handler), retries: 0 });
    await lab.drain();
    expect(diary).toEqual(["parent's", "child's", "boom", "undo child's", "failure function"]);
    expect((await lab.run(workflowRunId)).workflowRunResponse).toBe('{"isFailed":true}');
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
    expect(told?.steps).toHaveLength(5);
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
    const url = lab.at("/wf", async (request) => {
      const handler = lab.handlerOf(workflow, { failureFunction });
      if (request.headers.has("Upstash-Workflow-Is-Failure") && first) {
        first = false;
        await lab.client.trigger({ url, workflowRunId: "twice", body: 2 });
        return new Response(null, { status: 500 });
      }
      return handler(request);
    });
    await lab.client.trigger({ url, workflowRunId: "twice", body: 1 });
    await lab.drain();
    expect(results).toEqual(["1"]);
  });

  it("and nothing is when no step has a rollback: the workflow isn't run for it", async () => {
    let invocations = 0;
    await perform(async (context) => {
      invocations++;
      await context.run("reserve", () => 1);
      halt();
    });
    expect(invocations).toBe(2);
    expect(told?.rollbacks).toEqual([]);
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
      {},
      { retries: 2 },
    );
    // The engine delivers them side by side.
    expect(diary.slice(0, 2).sort()).toEqual(["a", "d"]);
    expect(diary.slice(2)).toEqual(["undo d", "undo b", "undo a", "failure function"]);
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
    expect(diary).toEqual(["boom", "undo fatal", "undo flaky", "failure function"]);
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
      {},
      { flowControl: { key: "one-at-a-time", parallelism: 1 } },
    );
    expect(diary).toEqual(["boom", "undo fatal", "failure function"]);
  });
});

describe("a step that is still being carried out when its run fails", () => {
  it("is rolled back once it has come to its end", async () => {
    const gate = new Gate();
    const url = lab.serve(
      async (context) => {
        await Promise.all([
          context.run(
            "slow",
            async () => {
              diary.push("slow begins");
              await gate.passed;
              diary.push("slow ends");
            },
            undo("slow"),
          ),
          context.run("fatal", async () => {
            await until(() => diary.includes("slow begins"));
            boom();
          }),
        ]);
      },
      { failureFunction },
    );
    const { workflowRunId } = await lab.client.trigger({ url, retries: 0 });
    await until(() => diary.includes("boom"));
    for (let beat = 0; beat < 20; beat++) {
      // Its lease is renewed as long as it takes.
      lab.clock.advance(10_000);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await lab.run(workflowRunId)).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_INPROGRESS" },
    });
    expect(diary).toEqual(["slow begins", "boom"]);
    gate.open();
    await lab.drain();
    expect(diary).toEqual(["slow begins", "boom", "slow ends", "undo slow", "failure function"]);
  });

  it("isn't waited for without a rollback", async () => {
    const gate = new Gate();
    const url = lab.serve(
      async (context) => {
        await Promise.all([
          context.run("slow", () => {
            diary.push("slow begins");
            return gate.passed;
          }),
          context.run("fatal", async () => {
            await until(() => diary.includes("slow begins"));
            boom();
          }),
        ]);
      },
      { failureFunction },
    );
    await lab.client.trigger({ url, retries: 0 });
    await until(() => diary.includes("failure function"));
    gate.open();
    await lab.drain();
    expect(diary).toEqual(["slow begins", "boom", "failure function"]);
  });

  it("isn't waited for any longer when the engine that delivered it has died", async () => {
    const url = lab.serve(
      async (context) => {
        await Promise.all([
          context.run(
            "slow",
            () => {
              diary.push("slow begins");
              return new Promise(() => {});
            },
            undo("slow"),
          ),
          context.run("fatal", async () => {
            await until(() => diary.includes("slow begins"));
            boom();
          }),
        ]);
      },
      { failureFunction },
    );
    const { workflowRunId } = await lab.client.trigger({ url, retries: 0 });
    while ((await lab.run(workflowRunId)).workflowState === "RUN_STARTED");
    lab.crash();
    await lab.drain();
    expect(diary).toEqual(["slow begins", "boom", "undo slow", "failure function"]);
  });

  it("and the run's time is up, is rolled back once it has come to its end", async () => {
    const gate = new Gate();
    const url = lab.serve(
      async (context) => {
        await context.run(
          "slow",
          async () => {
            diary.push("slow begins");
            await gate.passed;
            diary.push("slow ends");
          },
          undo("slow"),
        );
      },
      { failureFunction },
    );
    const { workflowRunId } = await lab.client.trigger({ url, timeout: "1m" });
    await until(() => diary.includes("slow begins"));
    for (let beat = 0; beat < 12; beat++) {
      lab.clock.advance(10_000);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect((await lab.run(workflowRunId)).workflowState).toBe("RUN_FAILED");
    gate.open();
    await lab.drain();
    expect(diary).toEqual(["slow begins", "slow ends", "undo slow", "failure function"]);
  });
});

describe("a run that fails by its time", () => {
  it("while it sleeps has nothing rolled back that it hadn't begun", async () => {
    await perform(
      async (context) => {
        await step(context, "reserve");
        await context.sleep("long", "1d");
        await step(context, "charge");
      },
      {},
      { timeout: "1h" },
    );
    expect(diary).toEqual(["reserve", "undo reserve", "failure function"]);
    expect(told?.failResponse).toContain("has not ended within 3600 s");
  });

  it("between two attempts has the step rolled back that was tried", async () => {
    await perform(
      async (context) => {
        await step(context, "reserve");
        await context.run("charge", () => Promise.reject(new Error("closed")), {
          ...undo("charge"),
          retries: 9,
          retryDelay: "10m",
        });
      },
      {},
      { timeout: "1h" },
    );
    expect(diary).toEqual(["reserve", "undo charge", "undo reserve", "failure function"]);
  });
});

describe("an endpoint that dies in the middle of a step", () => {
  it("has it rolled back, though nothing is known of it", async () => {
    const workflow: WorkflowFunction = async (context) => {
      await step(context, "reserve");
      await step(context, "charge");
    };
    const handler = lab.handlerOf(workflow, { failureFunction });
    const url = lab.at("/wf", async (request) => {
      const visit = await request.clone().text();
      const answer = await handler(request);
      // What it has recorded gets lost with it, too.
      if (visit.includes('"msg_') && diary.includes("charge") && !diary.includes("died")) {
        diary.push("died");
        return new Response("<h1>504</h1>", { status: 504 });
      }
      return answer;
    });
    await lab.client.trigger({ url, retries: 0 });
    await lab.drain();
    expect(diary).toEqual(["reserve", "charge", "died", "undo charge", "undo reserve", "failure function"]);
    expect(told).toMatchObject({ where: "delivery", failBody: "<h1>504</h1>" });
  });

  it("also when a later attempt fails before it comes that far", async () => {
    let broken = false;
    let asked = 0;
    const workflow: WorkflowFunction = async (context) => {
      if (asked++ < 1) halt();
      await step(context, "charge");
    };
    const handler = lab.handlerOf(workflow, { failureFunction });
    const url = lab.at("/wf", async (request) => {
      if (broken) return handler(request);
      broken = true;
      diary.push("charge begins");
      return new Response("", { status: 502 });
    });
    await lab.client.trigger({ url, retries: 3, retryDelay: "1000" });
    await lab.drain();
    expect(diary).toEqual(["charge begins", "undo charge", "failure function"]);
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
          diary.push(`undo charge ${attempt} at ${(lab.clock.now() - begun) / 1000}`);
          if (attempt <= failures) throw error();
        },
        ...more,
      });
      await step(context, "last");
      await context.run("fails", () => {
        begun = lab.clock.now();
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
    expect(diary.slice(diary.indexOf("boom") + 1)).toEqual([
      "undo last",
      ...expected.map((attempt) => `undo charge ${attempt}`),
      "undo first",
      "failure function",
    ]);
    const failed = expected.length <= failures;
    expect(told?.rollbacks).toMatchObject([
      { step: { name: "last" }, state: "done" },
      {
        step: { name: "charge" },
        state: failed ? "failed" : "done",
        attempts: expected.length,
        ...(failed ? { error: { message: "no" } } : {}),
      },
      { step: { name: "first" }, state: "done" },
    ]);
    expect((await lab.run(id)).rollbacks).toHaveLength(3);
  });

  it.each<[string, Error, string[]]>([
    ["isn't tried again after an error that forbids it", new WorkflowNonRetryableError("never"), ["1 at 0"]],
    ["waits as long as its error says", new WorkflowRetryAfterError("later", "90s"), ["1 at 0", "2 at 90"]],
  ])("%s", async (_name, error, expected) => {
    await perform(failing(9, {}, () => error));
    expect(diary.filter((entry) => entry.startsWith("undo charge"))).toEqual(
      expected.map((attempt) => `undo charge ${attempt}`),
    );
  });

  it("that takes too long has failed", async () => {
    await perform(async (context) => {
      await context.run("charge", () => 1, {
        rollback: () => {
          diary.push("undo charge");
          return new Promise(() => {});
        },
        rollbackTimeout: 0.02,
        rollbackRetries: 1,
      });
      halt();
    });
    expect(diary).toEqual(["undo charge", "undo charge", "failure function"]);
    expect(told?.rollbacks).toMatchObject([{ state: "failed", attempts: 2, error: { message: /0.02 s/ } }]);
  });

  it("isn't made again once it is on record, though the engine dies after it", async () => {
    const url = lab.serve(
      async (context) => {
        for (const name of ["a", "b", "c"]) await step(context, name);
        halt();
      },
      { failureFunction },
    );
    const { workflowRunId } = await lab.client.trigger({ url, retries: 0 });
    for (let recorded = 1; recorded <= 3; recorded++) {
      while (((await lab.run(workflowRunId)).rollbacks ?? []).length < recorded)
        await new Promise((resolve) => setImmediate(resolve));
      lab.crash();
    }
    await lab.drain();
    expect([...new Set(diary)]).toEqual(["a", "b", "c", "undo c", "undo b", "undo a", "failure function"]);
    expect((await lab.run(workflowRunId)).rollbacks).toHaveLength(3);
  });

  it("is made again when its outcome got lost", async () => {
    let lost = false;
    const handler = lab.handlerOf(
      async (context) => {
        await step(context, "a");
        await step(context, "b");
        halt();
      },
      { failureFunction },
    );
    const url = lab.at("/wf", async (request) => {
      const answer = await handler(request);
      if (lost || !answer.headers.has("Perdure-Rollback")) return answer;
      lost = true;
      return new Response("", { status: 502 });
    });
    await lab.client.trigger({ url, retries: 1, retryDelay: "1000" });
    await lab.drain();
    expect(diary).toEqual(["a", "b", "undo b", "undo b", "undo a", "failure function"]);
    expect(told?.rollbacks).toMatchObject([{ attempts: 2 }, { attempts: 1 }]);
  });
});

describe("with failureUrl elsewhere", () => {
  it("the workflow is asked for its rollbacks first, and the report goes there", async () => {
    const reports: { status: number; perdure: { rollbacks: object[]; only: string } }[] = [];
    const elsewhere = lab.at("/elsewhere", async (request) => {
      diary.push("report");
      reports.push((await request.json()) as (typeof reports)[number]);
      return new Response("noted");
    });
    const id = await perform(
      async (context) => {
        await step(context, "a");
        await step(context, "b");
        halt();
      },
      {},
      { failureUrl: elsewhere },
    );
    expect(diary).toEqual(["a", "b", "undo b", "undo a", "report"]);
    expect(reports).toMatchObject([
      { status: 489, perdure: { only: "report", rollbacks: [{ stepName: "b" }, { stepName: "a" }] } },
    ]);
    expect(await lab.run(id)).toMatchObject({
      rollbacks: [{ state: "done" }, { state: "done" }],
      failureFunction: { state: "CALLBACK_SUCCESS", url: elsewhere, responseBody: "noted" },
    });
  });

  it("the report also goes there when the workflow can't be reached any more", async () => {
    const elsewhere = lab.at("/elsewhere", () => {
      diary.push("report");
      return new Response();
    });
    const handler = lab.handlerOf(async (context) => {
      await step(context, "a");
      halt();
    });
    let gone = false;
    const url = lab.at("/wf", async (request) => {
      if (gone) return new Response("gone", { status: 503 });
      const answer = await handler(request);
      gone = answer.status !== 200;
      return answer;
    });
    const { workflowRunId } = await lab.client.trigger({
      url,
      retries: 1,
      retryDelay: "1000",
      failureUrl: elsewhere,
    });
    await lab.drain();
    expect(diary).toEqual(["a", "report"]);
    gone = false;
    const { dlqId = "" } = await lab.run(workflowRunId);
    await lab.client.dlq.retryRollbacks({ dlqId });
    await lab.drain();
    expect(diary).toEqual(["a", "report", "undo a"]);
    await expect(lab.client.dlq.retryRollbacks({ dlqId })).rejects.toThrow("answers 400");
  });

  it("both are called off together", async () => {
    const elsewhere = lab.at("/elsewhere", () => expect.unreachable());
    const id = await performUntilRollingBack({ failureUrl: elsewhere });
    const run = await lab.run(id);
    expect(run.failureFunction?.state).toBe("CALLBACK_INPROGRESS");
    const canceled = await lab.cancelReport(run.dlqId ?? "");
    expect(canceled.status).toBe(200);
    await lab.drain();
    expect((await lab.run(id)).failureFunction?.state).toBe("CALLBACK_CANCELED");
    expect(diary.filter((entry) => entry === "undo a")).toEqual([]);
  });
});

/** A run whose second step can't be undone for an hour. */
async function performUntilRollingBack(trigger: object = {}): Promise<string> {
  const url = lab.serve(
    async (context) => {
      await step(context, "a");
      let refused = false;
      await context.run("b", () => 1, {
        rollback: () => {
          diary.push("undo b");
          refused = !diary.includes("open");
          if (refused) throw new Error("not now");
        },
        rollbackRetries: 50,
        rollbackRetryDelay: "1h",
      });
      if (!diary.includes("open")) halt();
      return "done";
    },
    { failureFunction },
  );
  const { workflowRunId } = await lab.client.trigger({ url, retries: 0, ...trigger });
  await lab.idle();
  expect(diary).toEqual(["a", "undo b"]);
  return workflowRunId;
}

describe("a run that is resumed", () => {
  it("runs anew what was rolled back, and nothing else", async () => {
    let broken = true;
    const id = await perform(async (context) => {
      await step(context, "a");
      await context.run("kept", () => diary.push("kept"));
      const both = await Promise.all([step(context, "b"), context.run("also kept", () => "also kept")]);
      await context.sleep("rest", 5);
      if (broken) halt();
      return both;
    });
    expect(diary).toEqual(["a", "kept", "b", "undo b", "undo a", "failure function"]);
    diary = [];
    broken = false;
    const run = await lab.run(await resume(id));
    expect(run).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: '["b done","also kept"]',
    });
    expect(diary).toEqual(["a", "b"]);
  });

  it("and fails again, has what ran again rolled back again", async () => {
    let broken = 2;
    const workflow: WorkflowFunction = async (context) => {
      await step(context, "a");
      await step(context, "b");
      await context.run("c", () => (broken-- > 0 ? boom() : 1));
    };
    const first = await perform(workflow);
    const second = await resume(first);
    expect(diary).toEqual([
      ...["a", "b", "boom", "undo b", "undo a", "failure function"],
      ...["a", "b", "boom", "undo b", "undo a", "failure function"],
    ]);
    const third = await resume(second);
    expect((await lab.run(third)).workflowState).toBe("RUN_SUCCESS");
    expect((await lab.run(third)).rollbacks).toBeUndefined();
  });

  it("keeps what couldn't be rolled back, and has that rolled back when it fails again", async () => {
    let broken = true;
    let stuck = true;
    const id = await perform(async (context) => {
      await step(context, "a");
      await context.run("stuck", () => diary.push("stuck"), {
        rollback: () => {
          if (stuck) throw new WorkflowNonRetryableError("stuck");
          diary.push("undo stuck");
        },
      });
      if (broken) halt();
    });
    stuck = false;
    diary = [];
    const second = await resume(id);
    expect(diary).toEqual(["a", "undo stuck", "undo a", "failure function"]);
    broken = false;
    diary = [];
    expect((await lab.run(await resume(second))).workflowState).toBe("RUN_SUCCESS");
    expect(diary).toEqual(["a", "stuck"]);
  });

  it("fails by an endpoint that gives no answer, has them made all the same where failureUrl is elsewhere", async () => {
    const elsewhere = lab.at("/elsewhere", () => new Response());
    let dead = false;
    const handler = lab.handlerOf(async (context) => {
      await context.run("stuck", () => diary.push("stuck"), {
        rollback: () => {
          if (!dead) throw new WorkflowNonRetryableError("stuck");
          diary.push("undo stuck");
        },
      });
      halt();
    });
    const url = lab.at("/wf", (request) =>
      dead && !request.headers.has("Upstash-Workflow-Is-Failure")
        ? new Response("", { status: 503 })
        : handler(request),
    );
    const { workflowRunId } = await lab.client.trigger({ url, retries: 0, failureUrl: elsewhere });
    await lab.drain();
    dead = true;
    await resume(workflowRunId);
    expect(diary).toEqual(["stuck", "undo stuck"]);
  });

  it("is refused while it is rolled back, one by one and in bulk, and may go on after", async () => {
    const id = await performUntilRollingBack();
    const { dlqId = "" } = await lab.run(id);
    const one = lab.client.dlq.resume(dlqId);
    await expect(one).resolves.toEqual({ workflowRuns: [] });
    await expect(lab.client.dlq.restart(dlqId)).resolves.toEqual({ workflowRuns: [] });
    const ownWay = await lab.ask("POST", `/v2/workflows/dlq/resume/${dlqId}`);
    expect(ownWay.status).toBe(400);
    expect(await ownWay.text()).toContain("rollbacks or its failure function are under way");
    await expect(lab.client.dlq.retryRollbacks({ dlqId })).rejects.toThrow("answers 400");
    expect((await lab.client.dlq.list({ filter: { workflowRunId: id } })).messages).toHaveLength(1);
    diary.push("open");
    await lab.drain();
    expect(diary.slice(-3)).toEqual(["undo b", "undo a", "failure function"]);
    expect((await lab.run(await resume(id))).workflowRunResponse).toBe('"done"');
  });

  it("may go on as soon as its rollbacks are called off, and keeps what wasn't rolled back", async () => {
    const id = await performUntilRollingBack();
    await lab.cancelReport((await lab.run(id)).dlqId ?? "");
    diary = ["open"];
    expect((await lab.run(await resume(id))).workflowRunResponse).toBe('"done"');
    expect(diary).toEqual(["open"]);
  });
});

describe("a run that is restarted", () => {
  it("begins anew, whatever was rolled back", async () => {
    let broken = true;
    const id = await perform(async (context) => {
      await step(context, "a");
      if (broken) halt();
    });
    broken = false;
    const { workflowRuns } = await lab.client.dlq.restart((await lab.run(id)).dlqId ?? "");
    await lab.drain();
    expect(diary).toEqual(["a", "undo a", "failure function", "a"]);
    expect((await lab.run(workflowRuns[0]?.workflowRunId ?? "")).workflowState).toBe("RUN_SUCCESS");
  });
});

describe("client.dlq.retryRollbacks", () => {
  it("has those made again that failed, and nothing else", async () => {
    let stuck = true;
    const id = await perform(async (context) => {
      await step(context, "a");
      await context.run("b", () => 1, {
        rollback: () => {
          diary.push("undo b");
          if (stuck) throw new WorkflowNonRetryableError("stuck");
        },
      });
      halt();
    });
    expect(diary).toEqual(["a", "undo b", "undo a", "failure function"]);
    const { dlqId = "" } = await lab.run(id);
    await lab.client.dlq.retryRollbacks({ dlqId });
    await lab.drain();
    expect(diary.slice(4)).toEqual(["undo b"]);
    stuck = false;
    expect(await lab.client.dlq.retryRollbacks({ dlqId })).toMatchObject({ workflowRunId: id });
    // They are under way: what they undo can't be run anew yet.
    expect(await lab.client.dlq.resume(dlqId)).toEqual({ workflowRuns: [] });
    await lab.drain();
    expect(diary.slice(4)).toEqual(["undo b", "undo b"]);
    expect((await lab.run(id)).rollbacks).toMatchObject([
      { stepName: "a", state: "done" },
      { stepName: "b", state: "done" },
    ]);
    await expect(lab.client.dlq.retryRollbacks({ dlqId })).rejects.toThrow("answers 400");
  });
});

describe("a run that is cancelled", () => {
  const cancel = async (options: ServeOptions): Promise<string> => {
    const url = lab.serve(
      async (context) => {
        await step(context, "a");
        await step(context, "b");
        await context.sleep("long", "1d");
        await step(context, "c");
      },
      { failureFunction, ...options },
    );
    const { workflowRunId } = await lab.client.trigger({ url });
    await lab.idle();
    await lab.client.cancel(workflowRunId);
    await lab.drain();
    return workflowRunId;
  };
  const cancelFunction = ({ rollbacks }: { rollbacks: readonly object[] }) => {
    diary.push(`cancel function after ${rollbacks.length}`);
    return "cleaned up";
  };

  it("isn't rolled back unless that is asked for, and tells nobody", async () => {
    const id = await cancel({});
    expect(diary).toEqual(["a", "b"]);
    expect(await lab.run(id)).not.toHaveProperty("cancelFunction");
  });

  it("calls its cancel function", async () => {
    const id = await cancel({ cancelFunction });
    expect(diary).toEqual(["a", "b", "cancel function after 0"]);
    expect(await lab.run(id)).toMatchObject({
      workflowState: "RUN_CANCELED",
      cancelFunction: { state: "CALLBACK_SUCCESS", responseBody: '{"result":"cleaned up"}' },
    });
  });

  it("is rolled back first where that is asked for, without what it hadn't begun", async () => {
    const id = await cancel({ rollbackOnCancel: true, cancelFunction });
    expect(diary).toEqual(["a", "b", "undo b", "undo a", "cancel function after 2"]);
    expect((await lab.run(id)).rollbacks).toMatchObject([{ stepName: "b" }, { stepName: "a" }]);
  });

  it("in its very first step, is rolled back when that has come to its end", async () => {
    const gate = new Gate();
    const url = lab.serve(
      async (context) => {
        await context.run(
          "slow",
          async () => {
            diary.push("slow begins");
            await gate.passed;
            diary.push("slow ends");
          },
          undo("slow"),
        );
      },
      { rollbackOnCancel: true, cancelFunction },
    );
    const { workflowRunId } = await lab.client.trigger({ url });
    await until(() => diary.includes("slow begins"));
    await lab.client.cancel(workflowRunId);
    gate.open();
    await lab.drain();
    expect(diary).toEqual(["slow begins", "slow ends", "undo slow", "cancel function after 1"]);
  });

  it("by itself, is told of once that invocation is over", async () => {
    await perform(
      async (context) => {
        await step(context, "a");
        await context.cancel();
      },
      { rollbackOnCancel: true, cancelFunction },
    );
    expect(diary).toEqual(["a", "undo a", "cancel function after 1"]);
  });
});
