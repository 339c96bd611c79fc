import { failureBody, failureHeaders, request } from "@perdure/test-support/delivery";
import { MODE } from "@perdure/test-support/mode";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type MiddlewareEvents, WorkflowMiddleware } from "../src/index.ts";
import type { StepRecord } from "../src/protocol/index.ts";
import { answerOf, deliver, deliverToTheEnd, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
afterEach(() => vi.restoreAllMocks());

const EVENTS = [
  "runStarted",
  "beforeExecution",
  "afterExecution",
  "runCompleted",
  "runFailed",
  "failureFunctionRan",
  "onError",
  "onWarning",
] as const;

/** A middleware that writes down what it is told. */
function listener() {
  const heard: [string, Record<string, unknown>][] = [];
  const tell = (event: keyof MiddlewareEvents) => (told: object) => void heard.push([event, { ...told }]);
  const middleware = new WorkflowMiddleware({
    name: "listener",
    callbacks: Object.fromEntries(EVENTS.map((event) => [event, tell(event)])),
  });
  return { middlewares: [middleware], heard, events: () => heard.map(([event]) => event) };
}

const ran = (stepId: number, stepName: string): StepRecord => ({
  stepId,
  stepName,
  stepType: "Run",
  concurrent: 1,
  out: "5",
});

describe("middleware", () => {
  it("is told of a run's life", async () => {
    const { middlewares, heard } = listener();
    const handler = open(recorder(), async (context) => (await context.run("one", () => 5)) + 1, {
      middlewares,
    });
    await deliverToTheEnd(recorder(), handler);
    expect(heard.map(([event, { context: _, ...told }]) => [event, told])).toMatchObject([
      ["runStarted", {}],
      ["beforeExecution", { stepName: "one" }],
      ["afterExecution", { stepName: "one", result: 5 }],
      ["runCompleted", { result: 6 }],
    ]);
  });

  it("is told of a group's members, also by a delivery that waits for others", async () => {
    const { middlewares, heard } = listener();
    const handler = open(
      recorder(),
      (context) => Promise.all([context.run("a", () => 1), context.run("b", () => 2)]),
      { middlewares },
    );
    const plan = (targetStep: number, stepName: string) =>
      ({ stepId: 0, stepName, stepType: "Run", concurrent: 2, targetStep }) as const;
    await deliver(handler, [plan(1, "a")]);
    expect(heard).toMatchObject([["beforeExecution", { stepName: "a" }]]);
    heard.length = 0;
    await deliver(handler, [plan(1, "a"), plan(2, "b"), { ...ran(2, "b"), concurrent: 2 }]);
    expect(heard).toMatchObject([["afterExecution", { stepName: "b", result: 5 }]]);
  });

  it.each([
    ["returns", () => "fine", { result: "fine" }],
    ["throws", () => Promise.reject(new Error("broken")), { error: { message: "broken" } }],
  ])(
    "is told that a run has failed, and that its failure function %s",
    async (_name, failureFunction, outcome) => {
      const { middlewares, heard } = listener();
      const handler = open(recorder(), () => expect.unreachable(), { middlewares, failureFunction });
      await handler(request(failureBody(), failureHeaders()));
      expect(heard.slice(0, 2)).toMatchObject([
        ["runFailed", { failStatus: 500, failResponse: "boom", context: { requestPayload: { a: 1 } } }],
        ["failureFunctionRan", outcome],
      ]);
    },
  );

  it("is told of a failed run that has no failure function", async () => {
    const { middlewares, events } = listener();
    const handler = open(recorder(), () => expect.unreachable(), { middlewares });
    const answer = await answerOf(handler(request(failureBody(), failureHeaders())));
    expect(answer.headers.get("Upstash-Workflow-Failure-Callback-Notfound")).toBe("true");
    expect(events()).toEqual(["runFailed"]);
  });

  it("is told of failed attempts", async () => {
    const { middlewares, heard } = listener();
    const handler = open(recorder(), () => Promise.reject("plain"), { middlewares });
    await deliver(handler, []);
    expect(heard.at(-1)).toMatchObject([
      "onError",
      { workflowRunId: "wfr_test", error: { message: "plain" } },
    ]);
  });

  it("that throws harms nothing, and hears of it itself", async () => {
    const errors: Error[] = [];
    const broken = new WorkflowMiddleware({
      name: "broken",
      callbacks: {
        runStarted: () => Promise.reject(new Error("no")),
        beforeExecution: () => {
          throw new Error("nor this");
        },
        onError: ({ error }) => void errors.push(error),
      },
    });
    const { middlewares, events } = listener();
    const handler = open(recorder(), (context) => context.run("one", () => 1), {
      middlewares: [broken, ...middlewares],
    });
    expect(await deliver(handler, [])).toMatchObject({ status: 200 });
    expect(recorder().records).toHaveLength(1);
    expect(events().slice(0, 2)).toEqual(["runStarted", "beforeExecution"]);
    expect(errors.map(({ message }) => message)).toEqual([
      'runStarted of the middleware "broken" failed: no',
      'beforeExecution of the middleware "broken" failed: nor this',
    ]);
  });

  it.each([
    ["can't be made", { name: "b", init: () => Promise.reject(new Error("init")) }],
    [
      "fails in onError",
      {
        name: "b",
        callbacks: {
          runStarted: () => Promise.reject(new Error("a")),
          onError: () => Promise.reject(new Error("b")),
        },
      },
    ],
  ])("that %s is reported on the console", async (_name, definition) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const handler = open(recorder(), () => 1, { middlewares: [new WorkflowMiddleware(definition)] });
    expect(await deliver(handler, [])).toMatchObject({ status: 200 });
    expect(log).toHaveBeenCalled();
  });

  it.skipIf(MODE === "inline")("is told what the engine has taken", async () => {
    const infos: object[] = [];
    const callbacks = { onInfo: (told: object) => void infos.push(told) };
    const middlewares = [new WorkflowMiddleware({ name: "m", callbacks })];
    const handler = open(
      recorder(),
      (context) => Promise.all([context.run("a", () => 1), context.sleep("b", 1)]),
      {
        middlewares,
      },
    );
    await deliver(handler, []);
    expect(infos).toEqual([{ workflowRunId: "wfr_test", info: 'The engine has taken "a", "b".' }]);
  });

  it("is made once", async () => {
    const init = vi.fn(() => ({}));
    const handler = open(recorder(), () => 1, { middlewares: [new WorkflowMiddleware({ name: "m", init })] });
    await deliver(handler, []);
    await deliver(handler, []);
    expect(init).toHaveBeenCalledTimes(1);
  });

  it("writes to the console when asked to", async () => {
    const log = vi.spyOn(console, "info").mockImplementation(() => {});
    await deliver(
      open(recorder(), () => 1, { verbose: true }),
      [],
    );
    expect(log.mock.calls.map(([line]) => line)).toEqual([
      "[perdure] wfr_test started",
      "[perdure] wfr_test completed 1",
    ]);
  });
});
