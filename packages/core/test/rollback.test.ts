import {
  base64,
  failureBody,
  failureHeaders,
  history,
  KEYS,
  RUN,
  request,
  runHeaders,
  signed,
} from "@perdure/test-support/delivery";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import {
  createWorkflow,
  type FailureFunctionParams,
  type RollbackParams,
  type ServeOptions,
  serve,
  serveMany,
  type WorkflowFunction,
  WorkflowNonRetryableError,
} from "../src/index.ts";
import type { FailureDetails, RollbackRecord, StepRecord } from "../src/protocol/index.ts";
import { answerOf, deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();

const ran = (stepId: number, stepName: string, more: Partial<StepRecord> = {}): StepRecord => ({
  stepId,
  stepName,
  stepType: "Run",
  out: `"${stepName} done"`,
  concurrent: 1,
  rollback: true,
  ...more,
});

const undone = (stepId: number, stepName: string): RollbackRecord => ({
  stepId,
  stepName,
  stepType: "Run",
  state: "done",
  attempts: 1,
});

interface Told {
  readonly answer: Awaited<ReturnType<typeof answerOf>>;
  readonly params: FailureFunctionParams | undefined;
}

/** Tells an endpoint, as our own engine does, that its run has failed. */
async function fail(
  workflow: WorkflowFunction,
  records: readonly StepRecord[],
  more: {
    readonly details?: Partial<FailureDetails>;
    readonly error?: object;
    readonly retried?: number;
    readonly options?: ServeOptions;
    readonly headers?: Record<string, string>;
  } = {},
): Promise<Told> {
  let params: FailureFunctionParams | undefined;
  const failureFunction = (told: FailureFunctionParams) => {
    params = told;
  };
  const { error = { error: "Error", message: "the bank is closed", where: "after-last-step" } } = more;
  const perdure = {
    history: JSON.parse(history({}, records)),
    started: [],
    begun: false,
    rollbacks: [],
    ...more.details,
  };
  const headers = failureHeaders({
    "Upstash-Retried": String(more.retried ?? 0),
    "Perdure-Max-Retries": "2",
    ...more.headers,
  });
  const body = failureBody({ body: base64(JSON.stringify(error)), perdure });
  const handler = open(recorder(), workflow, { failureFunction, ...more.options });
  return { answer: await answerOf(handler(request(body, headers))), params };
}

/** A workflow of steps in a row, each of which tells when it is undone. */
function chain(names: readonly string[], calls: RollbackParams[] = []): WorkflowFunction {
  return async (context) => {
    for (const name of names) {
      await context.run(name, () => expect.unreachable(), {
        rollback: (params) => {
          calls.push(params);
        },
      });
    }
  };
}

describe("the steps of a failed run are undone", () => {
  const records = [ran(1, "reserve"), ran(2, "charge")];

  it("one in each delivery, the last one first, each told its result and the failure", async () => {
    const calls: RollbackParams[] = [];
    const { answer, params } = await fail(chain(["reserve", "charge"], calls), records);
    expect(answer).toMatchObject({ status: 200, body: { rollback: undone(2, "charge") } });
    expect(answer.headers.get("Perdure-Rollback")).toBe("recorded");
    expect(params).toBeUndefined();
    expect(calls).toEqual([
      {
        result: "charge done",
        error: expect.objectContaining({ message: "the bank is closed" }),
        step: { id: 2, name: "charge", type: "Run" },
        attempt: 1,
      },
    ]);
  });

  it("before the failure function, which is told of it", async () => {
    const calls: RollbackParams[] = [];
    const rollbacks = [
      undone(2, "charge"),
      { ...undone(1, "reserve"), state: "failed" as const, attempts: 3 },
    ];
    const { answer, params } = await fail(chain(["reserve", "charge"], calls), records, {
      details: { rollbacks },
    });
    expect(calls).toEqual([]);
    expect(answer).toMatchObject({ status: 200, body: {} });
    expect(params?.rollbacks).toEqual([
      { step: { id: 2, name: "charge", type: "Run" }, state: "done", attempts: 1 },
      { step: { id: 1, name: "reserve", type: "Run" }, state: "failed", attempts: 3 },
    ]);
  });

  it("and nothing else when only that is asked for", async () => {
    const rollbacks = [undone(2, "charge"), undone(1, "reserve")];
    const details = { rollbacks, only: "rollback" } as const;
    const { answer, params } = await fail(chain(["reserve", "charge"]), records, { details });
    expect(answer.headers.get("Perdure-Rollback")).toBe("over");
    expect(params).toBeUndefined();
  });

  it("with the one that failed, and which has no result", async () => {
    const calls: RollbackParams[] = [];
    const failing = { id: 3, name: "ship", type: "Run", rollback: true };
    const error = { error: "Error", message: "no van", where: "step", step: failing };
    await fail(chain(["reserve", "charge", "ship"], calls), records, { error });
    expect(calls).toMatchObject([{ step: { id: 3, name: "ship" }, result: undefined }]);
  });

  it("with the one that may have been under way when the endpoint gave no answer", async () => {
    const calls: RollbackParams[] = [];
    await fail(chain(["reserve"], calls), [], { error: {}, details: { begun: true } });
    expect(calls).toMatchObject([{ step: { id: 1, name: "reserve" } }]);
  });

  it("with the one that an attempt before the last had begun", async () => {
    const calls: RollbackParams[] = [];
    await fail(chain(["reserve", "charge"], calls), [ran(1, "reserve")], { details: { begun: true } });
    expect(calls).toMatchObject([{ step: { id: 2, name: "charge" }, result: undefined }]);
  });

  it("with the one that began alone beside one that waited for its retry", async () => {
    const calls: RollbackParams[] = [];
    const beside: WorkflowFunction = async (context) => {
      const retried = context.run("charge", () => expect.unreachable());
      await Promise.all([retried, chain(["reserve", "ship"], calls)(context)]);
    };
    const attempt = {
      kind: "attempt",
      step: { name: "charge", type: "Run", nth: 1 },
      attempt: 1,
      error: { error: "Error", message: "closed" },
    };
    const tried = { messageId: "msg_1", callType: "attempt", body: base64(JSON.stringify(attempt)) } as const;
    const details = { begun: true, history: [...JSON.parse(history({}, [])), tried] };
    await fail(beside, [], { error: {}, details });
    expect(calls).toMatchObject([{ step: { id: 2, name: "reserve" } }]);
  });

  it("but not with the one after a sleep that was going on", async () => {
    const { params } = await fail(chain(["reserve"]), [], { error: {} });
    expect(params?.rollbacks).toEqual([]);
  });

  it("but not with one that was never begun", async () => {
    const calls: RollbackParams[] = [];
    await fail(chain(["reserve", "charge", "ship"], calls), records, {
      details: { rollbacks: [undone(2, "charge")] },
    });
    expect(calls).toMatchObject([{ step: { id: 1, name: "reserve" } }]);
  });

  it("also when their failure was caught", async () => {
    const calls: RollbackParams[] = [];
    const { out: _, ...caught } = ran(1, "charge", {
      failure: { attempts: 1, error: { error: "Error", message: "closed" } },
    });
    const workflow: WorkflowFunction = async (context) => {
      const rollback = (params: RollbackParams<never>): void => void calls.push(params);
      await context
        .run("charge", () => expect.unreachable(), { onExhausted: "throw", rollback })
        .catch(() => {});
      await context.run("ship", () => expect.unreachable());
    };
    await fail(workflow, [caught]);
    expect(calls).toMatchObject([{ step: { id: 1 }, result: undefined }]);
  });

  it("in a group: those that finished or were begun", async () => {
    const plan = (targetStep: number, stepName: string): StepRecord => {
      const { out: _, ...record } = ran(0, stepName, { concurrent: 3, targetStep });
      return record;
    };
    const group = [plan(1, "a"), plan(2, "b"), plan(3, "c"), ran(1, "a", { concurrent: 3 })];
    const calls: RollbackParams[] = [];
    const workflow: WorkflowFunction = (context) =>
      Promise.all(
        ["a", "b", "c"].map((name) =>
          context.run(name, () => expect.unreachable(), { rollback: (told) => void calls.push(told) }),
        ),
      );
    await fail(workflow, group, { details: { started: [2] } });
    await fail(workflow, group, { details: { started: [2], rollbacks: [undone(2, "b")] } });
    expect(calls).toMatchObject([
      { step: { name: "b" }, result: undefined },
      { step: { name: "a" }, result: "a done" },
    ]);
  });
});

describe("a rollback that throws", () => {
  const failing =
    (options: object = {}, error: unknown = new Error("still closed")): WorkflowFunction =>
    (context) =>
      context.run("charge", () => expect.unreachable(), {
        rollback: () => Promise.reject(error),
        ...options,
      });
  const records = [ran(1, "charge")];

  it("is tried again", async () => {
    const { answer } = await fail(failing({ rollbackRetryDelay: 5 }), records, { retried: 1 });
    expect(answer).toMatchObject({ status: 500, body: { message: "still closed" } });
    expect(answer.headers.get("Retry-After")).toBe("5000ms");
  });

  it.each<[string, object, unknown, number]>([
    ["as often as the run's deliveries", {}, new Error("still closed"), 2],
    ["as often as it says", { rollbackRetries: 1 }, new Error("still closed"), 1],
    ["not again after an error that says so", {}, new WorkflowNonRetryableError("still closed"), 0],
  ])("%s, and then doesn't stop the others", async (_name, options, error, retried) => {
    const { answer } = await fail(failing(options, error), records, { retried });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        rollback: { stepId: 1, state: "failed", attempts: retried + 1, error: { message: "still closed" } },
      },
    });
    expect(answer.headers.get("Perdure-Rollback")).toBe("recorded");
  });

  it("asks for more tries than the engine would make", async () => {
    const { answer } = await fail(failing({ rollbackRetries: 9 }), records, { retried: 2 });
    expect(answer.status).toBe(500);
    expect(answer.headers.get("Perdure-Max-Retries")).toBe("9");
  });

  it("by taking too long", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const workflow: WorkflowFunction = (context) =>
      context.run("charge", () => expect.unreachable(), {
        rollback: () => new Promise(() => {}),
        rollbackTimeout: "1m",
      });
    const told = fail(workflow, records);
    await vi.advanceTimersByTimeAsync(60_000);
    vi.useRealTimers();
    expect((await told).answer).toMatchObject({
      status: 500,
      body: { message: expect.stringContaining("60 seconds") },
    });
  });

  it("by asking for a step", async () => {
    const workflow: WorkflowFunction = (context) =>
      context.run("charge", () => expect.unreachable(), { rollback: () => context.sleep("wait", 1) });
    const { answer } = await fail(workflow, records);
    expect(answer).toMatchObject({ status: 500, body: { error: "TypeError" } });
    expect(answer.body.message).toMatch(/rollback can't contain/);
  });
});

describe("a workflow that can't be asked any more", () => {
  it("that doesn't know the step now leaves it as not undone", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const told = fail(chain(["renamed"]), [ran(1, "charge")]);
    await vi.advanceTimersByTimeAsync(2_000);
    vi.useRealTimers();
    expect((await told).answer.body).toMatchObject({
      rollback: { stepId: 1, stepName: "charge", state: "failed" },
    });
  });

  it("that refuses the payload now leaves it as not undone", async () => {
    const options = { schema: z.object({ n: z.number() }) };
    const { answer } = await fail(chain(["charge"]), [ran(1, "charge")], { options });
    expect(answer.body).toMatchObject({ rollback: { stepName: "charge", state: "failed" } });
  });

  it("is asked again when something else has got in the way", async () => {
    const workflow: WorkflowFunction = () => Promise.reject(new Error("no configuration"));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const first = fail(workflow, [ran(1, "charge")]);
    const last = fail(workflow, [ran(1, "charge")], { retried: 2 });
    await vi.advanceTimersByTimeAsync(2_000);
    vi.useRealTimers();
    expect((await first).answer).toMatchObject({ status: 500, body: { message: "no configuration" } });
    expect((await last).answer.body).toMatchObject({
      rollback: { stepName: "charge", state: "failed", error: { message: "no configuration" } },
    });
  });

  it("that doesn't know a step of a group now tells of it too, if it was begun", async () => {
    const { out: _, ...record } = ran(0, "charge", { concurrent: 2, targetStep: 1 });
    const plans = [record, { ...record, stepName: "ship", targetStep: 2 }];
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const told = fail(() => {}, plans, { details: { started: [1] } });
    await vi.advanceTimersByTimeAsync(2_000);
    vi.useRealTimers();
    expect((await told).answer.body).toMatchObject({ rollback: { stepName: "charge", state: "failed" } });
  });

  it("isn't asked when nothing can be undone", async () => {
    const { rollback: _, ...plain } = ran(1, "charge");
    const { params } = await fail(() => expect.unreachable(), [plain]);
    expect(params?.rollbacks).toEqual([]);
  });

  it("isn't waited for once it has asked for the end of its run", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const workflow: WorkflowFunction = async (context) => {
      await chain(["charge"])(context);
      await context.cancel();
    };
    const { answer } = await fail(workflow, [ran(1, "charge")]);
    vi.useRealTimers();
    expect(answer.body).toMatchObject({ rollback: { stepName: "charge", state: "done" } });
  });

  it("isn't waited for when it waits for something of its own", async () => {
    const calls: RollbackParams[] = [];
    const workflow: WorkflowFunction = async (context) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await chain(["charge"], calls)(context);
      throw new Error("and this is nobody's business");
    };
    await fail(workflow, [ran(1, "charge")]);
    expect(calls).toMatchObject([{ result: "charge done" }]);
  });
});

describe("a run whose steps were undone, taken up again", () => {
  it("runs them anew, in their old places, one after the other", async () => {
    const workflow: WorkflowFunction = async (context) => {
      await context.run("one", () => "again 1", { rollback: () => {} });
      await context.run("two", () => "again 2", { rollback: () => {} });
      await context.run("three", () => expect.unreachable());
      await context.run("four", () => 4);
    };
    const { rollback: _, ...three } = ran(3, "three");
    const first = await deliver(open(recorder(), workflow), [three]);
    expect(first.status).toBe(200);
    const [one] = recorder().records;
    expect(one).toMatchObject({ stepId: 1, stepName: "one", out: '"again 1"' });
    await deliver(open(recorder(), workflow), [three, one as StepRecord]);
    const [, two] = recorder().records;
    expect(two).toMatchObject({ stepId: 2, stepName: "two", out: '"again 2"' });
    await deliver(open(recorder(), workflow), [three, one as StepRecord, two as StepRecord]);
    expect(recorder().records.at(-1)).toMatchObject({ stepId: 4, stepName: "four" });
  });
});

describe("records say that a step has a rollback", () => {
  const rollback = (): void => {};
  it.each<[string, WorkflowFunction, (record: unknown) => unknown]>([
    ["run", (context) => context.run("s", () => 1, { rollback }), (record) => record],
    ["notify", (context) => context.notify("s", "e", 1, undefined, { rollback }), (record) => record],
  ])("of %s", async (_name, workflow) => {
    recorder().answer = ({ path }) => (path.startsWith("/v2/notify") ? { body: [] } : undefined);
    await deliver(open(recorder(), workflow), []);
    expect(recorder().records[0]).toMatchObject({ stepName: "s", rollback: true });
  });

  it("of a call, whose answer brings it back", async () => {
    const workflow: WorkflowFunction = (context) =>
      context.call("s", { url: "https://third.example/", rollback });
    await deliver(open(recorder(), workflow), []);
    expect(recorder().published[0]?.headers).toMatchObject({
      "upstash-callback-forward-perdure-rollback": "true",
    });
    const headers = runHeaders({
      "Upstash-Workflow-Callback": "true",
      "Upstash-Workflow-StepId": "1",
      "Upstash-Workflow-StepName": "s",
      "Upstash-Workflow-StepType": "Call",
      "Upstash-Workflow-Concurrent": "1",
      "Perdure-Rollback": "true",
    });
    await open(recorder(), workflow)(request(JSON.stringify({ status: 200, body: "" }), headers));
    expect(recorder().records.at(-1)).toMatchObject({ stepType: "Call", rollback: true });
  });

  it("of a child's run", async () => {
    const child = createWorkflow(() => 1);
    const parent = createWorkflow((context) => context.invoke("s", { workflow: child, body: {}, rollback }));
    const { handler } = serveMany(
      { child, parent },
      { verify: "off", env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" } },
    );
    await handler(request(history({}), runHeaders(), "https://app.example.com/parent"));
    expect(JSON.parse(recorder().published[0]?.body ?? "")).toMatchObject({
      step: { stepName: "s", rollback: true },
    });
  });
});

describe("a cancelled run", () => {
  const headers = (more: Record<string, string> = {}) =>
    failureHeaders({ "Upstash-Workflow-CallType": "cancelCall", "Perdure-Max-Retries": "2", ...more });
  const canceled = (details: Partial<FailureDetails> = {}) =>
    failureBody({
      status: 0,
      body: base64('{"error":"WorkflowError","message":"the run was cancelled"}'),
      perdure: {
        history: JSON.parse(history({}, [ran(1, "reserve")])),
        started: [],
        begun: false,
        rollbacks: [],
        ...details,
      },
    });

  it("calls the cancel function, and neither the failure function nor rollbacks that weren't asked for", async () => {
    const cancelFunction = vi.fn(() => ({ told: true }));
    const options = { cancelFunction, failureFunction: () => expect.unreachable() };
    const answer = await answerOf(
      open(recorder(), () => expect.unreachable(), options)(request(canceled(), headers())),
    );
    expect(answer).toMatchObject({ status: 200, body: { result: { told: true } } });
    expect(cancelFunction).toHaveBeenCalledWith({
      cancelId: "1-0",
      context: expect.objectContaining({ workflowRunId: RUN, requestPayload: { a: 1 } }),
      steps: [{ id: 1, name: "reserve", type: "Run", result: "reserve done" }],
      rollbacks: [],
    });
  });

  it("is undone where that is asked for", async () => {
    const calls: RollbackParams[] = [];
    const handler = open(recorder(), chain(["reserve"], calls), { rollbackOnCancel: true });
    const answer = await answerOf(handler(request(canceled(), headers())));
    expect(answer.headers.get("Perdure-Rollback")).toBe("recorded");
    expect(calls).toMatchObject([{ result: "reserve done", error: { message: "the run was cancelled" } }]);
  });

  it("can't be told by a token that wasn't made for it", async () => {
    const cancelFunction = vi.fn();
    const { handler } = serve(() => 1, { keys: KEYS, cancelFunction, env: {} });
    for (const claim of [undefined, { kind: "resume", runId: RUN, messageId: "msg_failure" }] as const) {
      const forged = await signed(canceled(), headers(), claim ? { claim } : {});
      expect((await handler(forged)).status).toBe(401);
    }
    const receiver = { verify: () => Promise.resolve(true) };
    const checked = serve(() => 1, { receiver, cancelFunction, env: {} }).handler;
    expect((await checked(await signed(canceled(), headers()))).status).toBe(401);
    expect(cancelFunction).not.toHaveBeenCalled();
    const claim = { kind: "cancel", runId: RUN, messageId: "msg_failure" } as const;
    expect((await handler(await signed(canceled(), headers(), { claim }))).status).toBe(200);
  });
});

describe("an engine that has no rollbacks made", () => {
  it("is told of on the console, once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    vi.resetModules(); // Said once by each process: here, it hasn't been said yet.
    const fresh = await import("../src/index.ts");
    const { handler } = fresh.serve((context) => context.run("one", () => 1, { rollback: () => {} }), {
      verify: "off",
      env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" },
    });
    await handler(request(history({}), runHeaders({ "Perdure-Max-Retries": "3" })));
    expect(warn).not.toHaveBeenCalled();
    for (let at = 0; at < 2; at++) await handler(request(history({}), runHeaders()));
    expect(warn.mock.calls).toEqual([[expect.stringContaining("makes no rollbacks")]]);
    warn.mockRestore();
  });
});

describe("our own engine is told", () => {
  const traits = async (options: ServeOptions, headers = runHeaders({ "Perdure-Max-Retries": "3" })) => {
    const handler = open(recorder(), (context) => context.run("one", () => 1), options);
    return (await handler(request(history({}), headers))).headers.get("Perdure-Capabilities");
  };

  it.each<[ServeOptions, string]>([
    [{}, "1"],
    [{ cancelFunction: () => {} }, "1, on-cancel"],
    [{ rollbackOnCancel: true }, "1, on-cancel"],
    [{ timeout: "2h" }, "1, timeout=7200"],
    [
      { retries: 0, retryDelay: "pow(2, retried)", failureRetries: 2, failureRetryDelay: "9" },
      "1, retries=0, retryDelay=pow(2%2C%20retried), failureRetries=2, failureRetryDelay=9",
    ],
  ])("what the endpoint wants: %j", async (options, expected) => {
    expect(await traits(options)).toBe(expected);
  });

  it("and other engines aren't", async () => {
    expect(await traits({ timeout: "2h" }, runHeaders())).toBeNull();
  });
});

describe("how a run is to be failed", () => {
  const options = { failureRetries: 5, failureRetryDelay: "250", timeout: "1h" } as const;

  it("is said by its start", async () => {
    await open(recorder(), () => 1, options)(request("{}"));
    expect(recorder().published[0]?.headers).toMatchObject({
      "upstash-failure-callback-retries": "5",
      "upstash-failure-callback-retry-delay": "250",
      "perdure-run-timeout": "1h",
    });
  });
});
