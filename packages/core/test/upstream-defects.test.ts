import {
  base64,
  entries,
  failureBody,
  failureHeaders,
  history,
  RUN,
  request,
  runHeaders,
} from "@perdure/test-support/delivery";
import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { type WorkflowContext, WorkflowNonRetryableError, WorkflowRetryAfterError } from "../src/index.ts";
import type { StepRecord } from "../src/protocol/index.ts";
import { answerOf, deliver, open, useRecorder } from "./support/fixture.ts";

// Each is a defect of @upstash/workflow 1.3 that was reproduced there, and what happens here instead.

const recorder = useRecorder();
afterEach(() => vi.restoreAllMocks());

const io = () => new Promise<void>((resolve) => setImmediate(resolve));
const ran = (stepId: number, stepName: string, out = "1"): StepRecord => ({
  stepId,
  stepName,
  stepType: "Run",
  concurrent: 1,
  out,
});

const callHeaders = (more: Record<string, string> = {}) => ({
  "Upstash-Workflow-RunId": RUN,
  "Upstash-Workflow-Callback": "true",
  "Upstash-Workflow-StepId": "1",
  "Upstash-Workflow-StepName": "c",
  "Upstash-Workflow-Concurrent": "1",
  "Upstash-Message-Id": "msg_answer",
  ...more,
});
const callAnswer = (more: object = {}) =>
  JSON.stringify({ status: 200, header: {}, body: base64("ok"), retried: 0, maxRetries: 0, ...more });

describe("call", () => {
  it("C1: an answer that is too large to be sent along is fetched", async () => {
    const stored = { messageId: "msg_answer", callType: "fromCallback", body: base64(callAnswer()) };
    recorder().answer = ({ method }) =>
      method === "GET" ? { body: [...entries("{}", []), stored] } : undefined;
    const handler = open(recorder(), () => expect.unreachable(), { schema: z.object({ n: z.number() }) });
    expect(await answerOf(handler(request(undefined, callHeaders())))).toMatchObject({ status: 200 });
    expect(recorder().records).toMatchObject([{ stepName: "c", stepType: "Call" }]);
  });

  it("C2: an answer without a content type is read as what it is", async () => {
    const out = JSON.stringify({ status: 200, header: {}, body: Buffer.from('{"é":1}').toString("latin1") });
    const workflow = async (context: WorkflowContext) =>
      (await context.call("c", { url: "https://a.example/" })).body;
    await deliver(open(recorder(), workflow), [{ ...ran(1, "c", out), stepType: "Call" }]);
    expect(recorder().returned[0]).toBe('{"é":1}');
  });

  it("C3: api.*.call keeps its flow control", async () => {
    const flowControl = { key: "k", parallelism: 2 };
    const settings = { token: "t", operation: "messages.create", body: {}, flowControl } as const;
    await deliver(
      open(recorder(), (context) => context.api.anthropic.call("c", settings)),
      [],
    );
    expect(recorder().published[0]?.headers["upstash-flow-control-value"]).toBe("parallelism=2");
  });

  it("C4: the workflow isn't run with a call's answer for its payload", async () => {
    const handler = open(recorder(), () => expect.unreachable());
    expect(await answerOf(handler(request(callAnswer(), callHeaders())))).toMatchObject({ status: 200 });
  });

  it("C5: a step's name may be of any script", async () => {
    await deliver(
      open(recorder(), (context) => context.call("注文 ✓", { url: "https://a.example/" })),
      [],
    );
    const name = recorder().published[0]?.headers["upstash-callback-forward-upstash-workflow-stepname"] ?? "";
    recorder().reset();
    const handler = open(recorder(), () => expect.unreachable());
    await handler(request(callAnswer(), callHeaders({ "Upstash-Workflow-StepName": name })));
    expect(recorder().records[0]?.stepName).toBe("注文 ✓");
  });

  it("C6: a time-out in seconds says so", async () => {
    await deliver(
      open(recorder(), (context) => context.call("c", { url: "https://a.example/", timeout: 30 })),
      [],
    );
    expect(recorder().published[0]?.headers["upstash-timeout"]).toBe("30s");
  });

  it("C7: an answer that forbids further attempts is the last one, whatever the count says", async () => {
    const header = { "Upstash-NonRetryable-Error": ["true"] };
    const handler = open(recorder(), () => expect.unreachable());
    await handler(request(callAnswer({ status: 489, header, retried: 0, maxRetries: 3 }), callHeaders()));
    expect(recorder().records).toHaveLength(1);
  });

  it("C8: a third party isn't told how deep the run is invoked", async () => {
    const handler = open(recorder(), (context) => context.call("c", { url: "https://a.example/" }));
    await handler(request(history({}), runHeaders({ "Upstash-Workflow-Invoke-Count": "2" })));
    const sent = recorder().published[0]?.headers ?? {};
    expect(Object.keys(sent).filter((name) => name.startsWith("upstash-forward-"))).toEqual([]);
  });
});

describe("replay", () => {
  it("R3: a sibling that is started late runs once", async () => {
    let runs = 0;
    const workflow = (context: WorkflowContext) => {
      const late = async () => {
        await io();
        return context.run("late", () => ++runs);
      };
      return Promise.all([context.run("early", () => io().then(io)), late()]);
    };
    const history: StepRecord[] = [];
    while (recorder().finished.length === 0) {
      await deliver(open(recorder(), workflow), history);
      history.splice(0, history.length, ...recorder().records);
      expect(history.length).toBeLessThan(10);
    }
    expect(runs).toBe(1);
  });

  it("R4: a step that isn't awaited runs, and rejects nothing", async () => {
    const rejected = vi.fn();
    process.on("unhandledRejection", rejected);
    const handler = open(recorder(), (context) => void context.run("forgotten", () => 1));
    expect(await deliver(handler, [])).toMatchObject({ status: 200 });
    await io();
    process.off("unhandledRejection", rejected);
    expect(recorder().records).toMatchObject([{ stepName: "forgotten" }]);
    expect(rejected).not.toHaveBeenCalled();
  });

  it("R4: catching around a step catches no pause", async () => {
    const caught = vi.fn();
    const handler = open(recorder(), async (context) => {
      try {
        await context.sleep("nap", 5);
      } catch (error) {
        caught(error);
      }
    });
    expect(await deliver(handler, [])).toMatchObject({ status: 200, body: { finishCondition: "success" } });
    expect(caught).not.toHaveBeenCalled();
    expect(recorder().finished).toEqual([]);
  });

  it("R5: Promise.race and Promise.any are group like any other", async () => {
    const plan = (targetStep: number, stepName: string) =>
      ({ stepId: 0, stepName, stepType: "Run", concurrent: 2, targetStep }) as const;
    const done = (stepId: number, stepName: string) => ({
      ...ran(stepId, stepName, JSON.stringify(stepName)),
      concurrent: 2,
    });
    const records = [plan(1, "a"), plan(2, "b"), done(2, "b"), done(1, "a")];
    for (const combine of ["race", "any"] as const) {
      recorder().reset();
      const workflow = (context: WorkflowContext) =>
        Promise[combine]([context.run("a", () => "a"), context.run("b", () => "b")]);
      await deliver(open(recorder(), workflow), records);
      expect(recorder().returned[0]).toBe('"b"');
    }
  });

  it("R7: what the engine refuses fails the run with its words, and doesn't stall it", async () => {
    recorder().answer = ({ method }) =>
      method === "GET" ? { body: entries("{}", []) } : { status: 400, body: { error: "delay too long" } };
    const answer = await deliver(
      open(recorder(), (context) => context.sleep("nap", "999d")),
      [],
    );
    expect(answer).toMatchObject({
      status: 489,
      body: { message: expect.stringContaining("delay too long") },
    });
  });

  it("R8: a start that is delivered twice starts one run", async () => {
    const handler = open(recorder(), () => 1);
    for (const retried of ["0", "1"])
      await handler(request("{}", { "Upstash-Message-Id": "msg_1", "Upstash-Retried": retried }));
    const ids = recorder().published.map(({ headers }) => headers["upstash-workflow-runid"]);
    expect(ids).toEqual(["wfr_msg_1", "wfr_msg_1"]);
  });

  it("R9: a workflow needs no step, and what stands before its first one runs once a delivery", async () => {
    const before = vi.fn();
    const handler = open(recorder(), (context) => {
      before();
      return context.requestPayload === "early" ? "done" : context.run("one", () => 1);
    });
    expect(await deliver(handler, [], "early")).toMatchObject({ status: 200 });
    expect(recorder().returned[0]).toBe('"done"');
    await deliver(handler, []);
    expect(before).toHaveBeenCalledTimes(2);
  });

  it("R10: Retry-After is in a unit that every engine reads", async () => {
    const handler = open(recorder(), () => Promise.reject(new WorkflowRetryAfterError("later", "1d")));
    expect((await deliver(handler, [])).headers.get("Retry-After")).toBe("86400");
  });

  it("R11: an event's id may hold anything", async () => {
    await deliver(
      open(recorder(), (context) => context.waitForEvent("w", "a/b?c#d e%")),
      [],
    );
    expect(recorder().requests[0]?.path).toBe("/v2/wait/a%2Fb%3Fc%23d%20e%25");
  });

  it("R12: the end of a run that is gone already is an end", async () => {
    recorder().answer = () => ({ status: 404, body: { error: "unknown" } });
    expect(
      await deliver(
        open(recorder(), () => 1),
        [],
      ),
    ).toMatchObject({ status: 200 });
  });
});

describe("failures", () => {
  const failed = (
    failureFunction: () => unknown,
    workflow: () => unknown = () => expect.unreachable(),
    options = {},
  ) =>
    answerOf(
      open(recorder(), workflow, { failureFunction, ...options })(request(failureBody(), failureHeaders())),
    );

  it.each<[string, () => unknown, object]>([
    ["a payload that the schema rejects", () => 1, { schema: z.object({ never: z.string() }) }],
    ["a throw before the first step", () => Promise.reject(new Error("early")), {}],
    ["an early return", () => undefined, {}],
  ])("F1: the failure function runs after %s", async (_name, workflow, options) => {
    const called = vi.fn();
    expect(await failed(called, workflow, options)).toMatchObject({ status: 200 });
    expect(called).toHaveBeenCalledTimes(1);
  });

  it("F2: what the failure function throws keeps its meaning", async () => {
    expect((await failed(() => Promise.reject(new WorkflowNonRetryableError("no")))).status).toBe(489);
    expect((await failed(() => Promise.reject(new WorkflowRetryAfterError("later", 5)))).status).toBe(429);
  });

  it("F3: the failure function's context has no steps", async () => {
    const handler = open(recorder(), () => expect.unreachable(), {
      failureFunction: ({ context }) =>
        Reflect.get(context, "run").call(context, "step", () => expect.unreachable()),
    });
    const answer = await answerOf(handler(request(failureBody(), failureHeaders())));
    expect(answer).toMatchObject({ status: 500, body: { error: "TypeError" } });
    expect(answer.body.message).toMatch(/context.run is not available/);
  });

  it("F4: a run that a plain request starts has its failure callback", async () => {
    await open(recorder(), () => 1)(request("{}"));
    expect(recorder().published[0]?.headers["upstash-failure-callback"]).toBe(
      "https://app.example.com/api/wf",
    );
  });

  it.each(["<h1>504</h1>", ""])("F5: an answer that isn't ours (%j) is reported as it came", async (body) => {
    const told = vi.fn();
    const handler = open(recorder(), () => 1, { failureFunction: told });
    await handler(request(failureBody({ body: base64(body) }), failureHeaders()));
    expect(told).toHaveBeenCalledWith(expect.objectContaining({ failResponse: body, failStack: "" }));
  });

  it("F6: a failing step whose name isn't ASCII reports its own error", async () => {
    const handler = open(recorder(), (context) =>
      context.run("größe ✓", () => Promise.reject(new Error("mine"))),
    );
    expect(await deliver(handler, [])).toMatchObject({ status: 500, body: { message: "mine" } });
  });

  it("F7: what is thrown isn't changed", async () => {
    const thrown = { code: 5 };
    const handler = open(recorder(), (context) => context.run("one", () => Promise.reject(thrown)));
    expect(await deliver(handler, [])).toMatchObject({ body: { message: '{"code":5}' } });
    expect(thrown).toEqual({ code: 5 });
  });

  it("F8: the error of a group's member is reported as it was thrown", async () => {
    const plan = { stepId: 0, stepName: "a", stepType: "Run", concurrent: 2, targetStep: 1 } as const;
    const workflow = (context: WorkflowContext) =>
      Promise.all([
        context.run("a", () => Promise.reject(new RangeError("mine"))),
        context.run("b", () => 1),
      ]);
    expect(await deliver(open(recorder(), workflow), [plan])).toMatchObject({
      body: { error: "RangeError", message: "mine" },
    });
  });
});
