import {
  base64,
  failureBody,
  failureHeaders,
  history,
  request,
  runHeaders,
} from "@perdure/test-support/delivery";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  type FailureFunctionParams,
  type ServeOptions,
  type StepOptions,
  type WorkflowFunction,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
  WorkflowStepError,
} from "../src/index.ts";
import type { StepRecord } from "../src/protocol/index.ts";
import { type Answer, answerOf, deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();

const ran = (stepId: number, stepName: string, more: Partial<StepRecord> = {}): StepRecord => ({
  stepId,
  stepName,
  stepType: "Run",
  out: "1",
  concurrent: 1,
  ...more,
});

/** Delivers a history as our own engine does, for the nth time. */
function deliverAgain(
  workflow: WorkflowFunction,
  retried: number,
  records: readonly StepRecord[] = [],
  options: ServeOptions = {},
  maxRetries = 3,
): Promise<Answer> {
  const headers = runHeaders({
    "Upstash-Retried": String(retried),
    "Perdure-Max-Retries": String(maxRetries),
  });
  return answerOf(open(recorder(), workflow, options)(request(history({}, records), headers)));
}

const step =
  (options: StepOptions, error: unknown = new Error("no")): WorkflowFunction =>
  (context) =>
    context.run("charge", () => Promise.reject(error), options);

describe("a step's own retries", () => {
  it("are asked for where the engine would make fewer", async () => {
    const answer = await deliverAgain(step({ retries: 7 }), 3);
    expect(answer.status).toBe(500);
    expect(answer.headers.get("Perdure-Max-Retries")).toBe("7");
  });

  it("are over where the engine would make more", async () => {
    expect((await deliverAgain(step({ retries: 1 }), 0)).status).toBe(500);
    const last = await deliverAgain(step({ retries: 1 }), 1);
    expect(last).toMatchObject({ status: 489, body: { message: "no", where: "step" } });
    expect(last.headers.get("Upstash-NonRetryable-Error")).toBe("true");
  });

  it.each<[string, StepOptions["retryDelay"], string]>([
    ["a number of seconds", 90, "90000ms"],
    ["a duration", "2m", "120000ms"],
    ["a function of the retries so far", (retried) => 0.1 * 2 ** retried, "400ms"],
  ])("wait %s", async (_name, retryDelay, wait) => {
    const answer = await deliverAgain(step({ retryDelay: retryDelay as NonNullable<typeof retryDelay> }), 2);
    expect(answer.status).toBe(500);
    expect(answer.headers.get("Retry-After")).toBe(wait);
  });

  it("wait as long as the error says", async () => {
    const answer = await deliverAgain(step({ retryDelay: 1 }, new WorkflowRetryAfterError("later", 60)), 0);
    expect(answer).toMatchObject({ status: 429 });
    expect(answer.headers.get("Retry-After")).toBe("60");
  });

  it("that can't be told fail the attempt with what they have thrown", async () => {
    const retryDelay = (): never => {
      throw new RangeError("no delay for this");
    };
    const answer = await deliverAgain(step({ retryDelay }), 0);
    expect(answer).toMatchObject({
      status: 500,
      body: { message: "no delay for this", step: { name: "charge" } },
    });
  });

  it.each<[string, object]>([
    ["retries", { retries: -1 }],
    ["rollbackRetries", { rollbackRetries: 0.5 }],
    ["onExhausted", { onExhausted: "ignore" }],
    ["rollback", { rollback: "undo" }],
    ["retryDelay", { retryDelay: "soon" }],
    // An expression, which the engine's retries take and a step's don't.
    ["retryDelay", { retryDelay: "500" }],
  ])("are refused when they make no sense: %s", async (named, options) => {
    const answer = await deliver(open(recorder(), step(options as StepOptions)), []);
    expect(answer).toMatchObject({ status: 500, body: { error: "TypeError" } });
    expect(answer.body.message).toContain(named);
  });
});

describe('a step with `onExhausted: "throw"`', () => {
  const throwing = { onExhausted: "throw" } as const;

  const caught =
    (options: StepOptions): WorkflowFunction =>
    (context) =>
      context
        .run("charge", () => Promise.reject(new Error("no")), { ...throwing, ...options })
        .catch(() => "caught");

  it("is tried as often as the run's deliveries are, then is on record as failed", async () => {
    expect((await deliverAgain(caught({}), 1, [], {}, 2)).status).toBe(500);
    expect(recorder().published).toEqual([]);
    expect((await deliverAgain(caught({}), 2, [], {}, 2)).status).toBe(200);
    expect(recorder().records).toEqual([
      {
        stepId: 1,
        stepName: "charge",
        stepType: "Run",
        concurrent: 1,
        failure: { attempts: 3, error: { error: "Error", message: "no" } },
      },
    ]);
  });

  it("is tried three times more where the engine doesn't say how often, or as it says itself", async () => {
    const tried = (options: StepOptions, retried: string) =>
      open(recorder(), caught(options))(request(history({}), runHeaders({ "Upstash-Retried": retried })));
    expect((await tried({}, "2")).status).toBe(500);
    expect((await tried({}, "3")).status).toBe(200);
    expect((await tried({ retries: 0 }, "0")).status).toBe(200);
    expect(recorder().records).toHaveLength(2);
  });

  it("isn't tried again after an error that says so", async () => {
    await deliverAgain(step(throwing, new WorkflowNonRetryableError("never")), 0);
    expect(recorder().records[0]?.failure).toMatchObject({ attempts: 1, error: { message: "never" } });
  });

  it("rejects with what is on record, in each invocation", async () => {
    const cause = { error: "RangeError", message: "too far", stack: "RangeError: too far\n    at charge" };
    const failure = {
      attempts: 3,
      error: { error: "TypeError", message: "the bank is closed", stack: "there", cause },
    };
    const caught: WorkflowStepError[] = [];
    const workflow: WorkflowFunction = async (context) => {
      try {
        await context.run("charge", () => expect.unreachable(), throwing);
      } catch (error) {
        caught.push(error as WorkflowStepError);
      }
      return context.run("instead", () => 2);
    };
    const { out: _, ...record } = ran(1, "charge", { failure });
    await deliverAgain(workflow, 0, [record]);
    await deliverAgain(workflow, 0, [record, ran(2, "instead")]);
    expect(recorder().records).toMatchObject([{ stepId: 2, stepName: "instead", out: "2" }]);
    expect(recorder().returned.at(-1)).toBe("1");
    expect(caught).toHaveLength(2);
    for (const error of caught) {
      expect(error).toBeInstanceOf(WorkflowStepError);
      expect(error).toMatchObject({
        code: "step_failed",
        message: "the bank is closed",
        attempts: 3,
        step: { id: 1, name: "charge", type: "Run" },
        cause: { name: "TypeError", stack: "there", cause: { name: "RangeError", message: "too far" } },
      });
    }
  });

  it("fails the run, without another try, when nothing catches it", async () => {
    const { out: _, ...record } = ran(1, "charge", {
      failure: { attempts: 2, error: { error: "Error", message: "closed" } },
    });
    expect(await deliverAgain(step(throwing), 0, [record])).toMatchObject({
      status: 489,
      body: { error: "WorkflowStepError", message: "closed", where: "step", step: { id: 1, name: "charge" } },
    });
  });

  it("doesn't end the process when nobody awaits it", async () => {
    const { out: _, ...record } = ran(1, "charge", {
      failure: { attempts: 1, error: { error: "Error", message: "closed" } },
    });
    const workflow: WorkflowFunction = async (context) => {
      void context.run("charge", () => 1, throwing);
      return context.run("next", () => 2);
    };
    expect((await deliverAgain(workflow, 0, [record])).status).toBe(200);
    expect(recorder().records).toMatchObject([{ stepName: "next" }]);
  });
});

describe("an answer that failed says where", () => {
  const boom = (_after?: unknown): never => {
    throw new Error("boom");
  };
  it.each<[string, WorkflowFunction, StepRecord[], ServeOptions, object]>([
    ["the payload", () => 1, [], { schema: z.object({ n: z.number() }) }, { where: "payload" }],
    ["before the first step", boom, [], {}, { where: "before-first-step" }],
    ["a step", step({}), [], {}, { where: "step", step: { id: 1, name: "charge", type: "Run" } }],
    [
      "after the last step",
      async (context) => boom((await context.run("one", () => 1)) as never),
      [ran(1, "one")],
      {},
      { where: "after-last-step" },
    ],
    [
      "a result that can't be stored",
      async (context) => (await context.run("one", () => 1)) && 1n,
      [ran(1, "one")],
      {},
      { where: "after-last-step" },
    ],
    [
      "a step with a rollback",
      step({ rollback: () => {} }),
      [],
      {},
      { where: "step", step: { id: 1, name: "charge", type: "Run", rollback: true } },
    ],
  ])("%s", async (_name, workflow, records, options, place) => {
    const { body } = await deliverAgain(workflow, 0, records, options);
    expect({ where: body.where, ...(body.step ? { step: body.step } : {}) }).toEqual(place);
  });

  it("with its causes", async () => {
    const cause = new RangeError("deep", { cause: "deeper" });
    const { body } = await deliverAgain(step({}, new Error("top", { cause })), 0);
    expect(body).toMatchObject({
      message: "top",
      cause: { error: "RangeError", message: "deep", cause: { error: "Error", message: "deeper" } },
    });
  });

  it("with the errors that it gathers, as Promise.any does", async () => {
    const gathered = [new RangeError("left", { cause: "deeper" }), "no error", new Error("right")];
    const { body } = await deliverAgain(step({}, new AggregateError(gathered, "all")), 0);
    expect(body).toMatchObject({ error: "AggregateError", message: "all" });
    expect(body.errors).toEqual([
      { error: "RangeError", message: "left" },
      { error: "Error", message: "right" },
    ]);
  });

  it("and leaves out what too many of them say", async () => {
    const error = new AggregateError([], "round");
    error.errors = Array.from({ length: 1000 }, () => error);
    const { body } = await deliverAgain(step({}, error), 0);
    expect(body.errors).toHaveLength(10);
    expect(body.errors).not.toContainEqual(expect.objectContaining({ errors: expect.anything() }));
  });

  it("and stops at causes that go round in circles", async () => {
    const error = new Error("round");
    error.cause = error;
    expect((await deliverAgain(step({}, error), 0)).body).toMatchObject({
      cause: { cause: { message: "round" } },
    });
  });
});

describe("the failure function knows", () => {
  const tell = async (body: string, options: ServeOptions = {}, headers = failureHeaders()) => {
    let told: FailureFunctionParams | undefined;
    const failureFunction = (params: FailureFunctionParams) => {
      told = params;
    };
    const workflow = () => expect.unreachable();
    await open(recorder(), workflow, { failureFunction, ...options })(request(body, headers));
    return told as FailureFunctionParams;
  };

  it("the step, the attempts, and the error as it was thrown", async () => {
    const thrown = {
      error: "TypeError",
      message: "boom",
      stack: "TypeError: boom",
      cause: { error: "Error", message: "ECONNRESET" },
      where: "step",
      step: { id: 2, name: "charge", type: "Run" },
    };
    const told = await tell(failureBody({ body: base64(JSON.stringify(thrown)) }));
    expect(told).toMatchObject({
      where: "step",
      step: { id: 2, name: "charge", type: "Run" },
      attempts: 4,
      dlqId: "1-0",
      failureId: "1-0",
      failStack: "TypeError: boom",
      steps: undefined,
      rollbacks: [],
    });
    expect(told.error).toBeInstanceOf(Error);
    expect(told.error).toMatchObject({
      name: "TypeError",
      message: "boom",
      cause: { message: "ECONNRESET" },
    });
  });

  it("the errors that it gathers", async () => {
    const thrown = {
      error: "AggregateError",
      message: "all",
      errors: [{ error: "RangeError", message: "left" }, 5, { message: "right" }],
    };
    const { error } = await tell(failureBody({ body: base64(JSON.stringify(thrown)) }));
    expect(error).toBeInstanceOf(AggregateError);
    expect(error).toMatchObject({ message: "all", errors: [{ name: "RangeError" }, { message: "right" }] });
  });

  it.each([
    ["an HTML page", "<h1>504</h1>"],
    ["nothing", ""],
    ["somebody else's error", '{"message":5}'],
    ["an error of a proxy", '{"message":"Bad gateway","where":"nowhere","step":"none"}'],
  ])("%s as it came", async (_name, answer) => {
    const told = await tell(failureBody({ status: 504, body: base64(answer) }));
    expect(told).toMatchObject({ failStatus: 504, failBody: answer, where: "delivery", step: undefined });
  });

  it("the results of the steps, on our own engine", async () => {
    const failure = { attempts: 1, error: { error: "Error", message: "caught" } };
    const { out: _, ...caught } = ran(2, "two", { failure });
    const perdure = {
      history: JSON.parse(history({ a: 1 }, [ran(1, "one", { out: '{"x":1}' }), caught])),
      started: [],
      rollbacks: [],
    };
    const body = { body: base64('{"error":"Error","message":"m","where":"after-last-step"}'), perdure };
    const { steps } = await tell(failureBody(body));
    expect(steps).toMatchObject([
      { id: 1, name: "one", type: "Run", result: { x: 1 } },
      { id: 2, name: "two", error: { code: "step_failed", message: "caught" } },
    ]);
  });

  it("the results of steps that were too many to be sent along", async () => {
    recorder().answer = ({ path }) =>
      path.startsWith("/v2/workflows/runs/wfr_test?ended=true&workflowCreatedAt=")
        ? { body: JSON.parse(history({}, [ran(1, "one")])) }
        : undefined;
    const perdure = { started: [], rollbacks: [] };
    const body = { body: base64('{"error":"Error","message":"m","where":"after-last-step"}'), perdure };
    expect((await tell(failureBody(body))).steps).toMatchObject([{ id: 1, result: 1 }]);
  });

  it("what the engine says where it is the engine that failed the run", async () => {
    const perdure = {
      history: JSON.parse(history({})),
      started: [],
      rollbacks: [],
      answer: base64("<html>"),
    };
    const body = failureBody({ body: base64("the run has stalled"), status: 200, perdure });
    let told: FailureFunctionParams | undefined;
    const workflow = open(recorder(), () => 1, {
      failureFunction: (params) => {
        told = params;
      },
    });
    await workflow(request(body, failureHeaders()));
    expect(told).toMatchObject({
      failResponse: "the run has stalled",
      failBody: "<html>",
      where: "delivery",
    });
  });
});
