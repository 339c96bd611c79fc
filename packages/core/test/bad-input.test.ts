import {
  base64,
  failureBody,
  failureHeaders,
  history,
  request,
  runHeaders,
  signed,
  URL,
} from "@perdure/test-support/delivery";
import { callHeaders } from "@perdure/test-support/forgeries";
import { FUZZ_TIMEOUT, forAll } from "@perdure/test-support/fuzz";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createWorkflow,
  type FailureFunctionParams,
  memoryReplayGuard,
  serveMany,
  type WorkflowFunction,
} from "../src/index.ts";
import { decodeRunOptions } from "../src/protocol/deferred-options.ts";
import { asErrorBody } from "../src/protocol/error.ts";
import {
  parseFailure,
  parseHistory,
  parseStep,
  readHistory,
  type StepRecord,
} from "../src/protocol/index.ts";
import { answerOf, closed, deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const MALFORMED = expect.objectContaining({ code: "malformed_body" });

const record = (more: object): StepRecord => ({
  ...{ stepId: 1, stepName: "one", stepType: "Run", concurrent: 1 },
  ...more,
});

/** A body that comes in pieces, and how much of it was asked for. */
function streamed(chunks: Iterable<number>) {
  const left = chunks[Symbol.iterator]();
  const taken = { bytes: 0 };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const { done, value } = left.next();
        if (done) return controller.close();
        taken.bytes += value;
        controller.enqueue(new Uint8Array(value).fill(0x20));
      },
    },
    { highWaterMark: 0 },
  );
  return { body, taken };
}

function* forever(size: number): Generator<number> {
  for (;;) yield size;
}

describe("a body", () => {
  const LIMIT = 1000;
  const handler = () => open(recorder(), () => 1, { bodyLimit: LIMIT });
  const send = (body: ReadableStream, headers: Record<string, string> = {}) => {
    const init = { method: "POST", headers, body, duplex: "half" };
    return handler()(new Request(URL, init));
  };

  it.each<[string, Record<string, string>]>([
    ["without its length", {}],
    ["that is said to be short", { "Content-Length": "10" }],
    ["that is said to be empty", { "Content-Length": "0" }],
    ["of a length that is none", { "Content-Length": "a lot" }],
    ["of two lengths", { "Content-Length": "10, 20" }],
    ["of a length below nothing", { "Content-Length": "-1" }],
  ])("that never ends, %s, is refused once it is over the limit", async (_name, headers) => {
    const { body, taken } = streamed(forever(64));
    expect((await send(body, headers)).status).toBe(413);
    expect(taken.bytes).toBeLessThanOrEqual(LIMIT + 64);
  });

  it("that is said to be too long isn't read at all", async () => {
    const { body, taken } = streamed(forever(64));
    expect((await send(body, { "Content-Length": "1001" })).status).toBe(413);
    expect(taken.bytes).toBe(0);
  });

  it(
    "in whatever pieces is taken up to the limit, and never read far beyond it",
    async () => {
      const pieces = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 12 });
      await forAll(fc.tuple(pieces, fc.option(fc.nat(2000))), async ([sizes, announced]) => {
        recorder().reset();
        const { body, taken } = streamed(sizes);
        const size = sizes.reduce((sum, one) => sum + one, 0);
        const { status } = await send(
          body,
          announced === null ? {} : { "Content-Length": String(announced) },
        );
        expect(status).toBe(size > LIMIT || (announced ?? 0) > LIMIT ? 413 : 200);
        expect(taken.bytes).toBeLessThanOrEqual(LIMIT + 300);
      });
    },
    FUZZ_TIMEOUT,
  );

  it("that breaks off is answered, and nothing is started", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("gone")) });
    expect((await send(body)).status).toBe(500);
    expect(recorder().requests).toEqual([]);
  });
});

describe("a record", () => {
  it.each([
    ["more steps in its group than memory holds", { stepId: 0, targetStep: 1, concurrent: 2 ** 52 }],
    ["a place behind more steps than memory holds", { stepId: 2 ** 52 }],
    ["a plan for such a place", { stepId: 0, targetStep: 2 ** 52 }],
    ["a failure that is a text", { failure: "x" }],
    ["a failure without an error", { failure: { attempts: 1 } }],
    ["a failure of no attempts", { failure: { attempts: 0, error: { message: "x" } } }],
    ["a failure whose error has no message", { failure: { attempts: 1, error: { error: "TypeError" } } }],
  ])("with %s isn't one", (_name, more) => {
    expect(() => parseStep(JSON.stringify(record(more)))).toThrow(MALFORMED);
  });

  const once = { timeout: 1 };
  const hook = { webhookUrl: "", eventId: "e" };
  it.each<[string, WorkflowFunction, Partial<StepRecord>]>([
    ["a step that holds no JSON", (context) => context.run("one", () => 1), { out: "{" }],
    [
      "a wait that holds no base64",
      (context) => context.waitForEvent("one", "e", once),
      { stepType: "Wait", out: "%" },
    ],
    [
      "a webhook that holds no request",
      (context) => context.waitForWebhook("one", hook, 1),
      { stepType: "WaitForWebhook", out: base64("{}") },
    ],
    [
      "a call that holds no answer",
      (context) => context.call("one", { url: "https://third.example" }),
      { stepType: "Call", out: "5" },
    ],
  ])("of %s fails the run at once, and names the step", async (_name, workflow, more) => {
    const answer = await deliver(open(recorder(), workflow), [record(more)]);
    expect(answer).toMatchObject({ status: 489, body: { where: "step", step: { name: "one" } } });
    expect(answer.body.message).toContain('"one"');
  });

  it("of a step that failed with a cause that is no error has the workflow catch the rest", async () => {
    const cause = { message: { toString: 1 } };
    const failure = { attempts: 2, error: { error: "TypeError", message: "declined", cause } };
    let caught: unknown;
    const handler = open(recorder(), async (context) => {
      await context
        .run("one", () => 1, { onExhausted: "throw" })
        .catch((error) => {
          caught = error;
        });
    });
    expect((await deliver(handler, [record({ failure })])).status).toBe(200);
    expect(caught).toMatchObject({ message: "declined", attempts: 2, cause: { name: "TypeError" } });
  });

  it.each(["Dance", "constructor"])(
    "of the kind %s, that there isn't, keeps no failure untold",
    async (stepType) => {
      let told: FailureFunctionParams | undefined;
      const failureFunction = (params: FailureFunctionParams): void => {
        told = params;
      };
      const odd = record({ stepType, out: "1" });
      const perdure = { history: JSON.parse(history({}, [odd])), started: [], rollbacks: [] };
      const handler = open(recorder(), () => 1, { failureFunction });
      const answer = await answerOf(handler(request(failureBody({ perdure }), failureHeaders())));
      expect(answer.status).toBe(200);
      expect(told?.steps).toMatchObject([
        { name: "one", error: { message: expect.stringContaining("can't be read") } },
      ]);
    },
  );
});

describe("a history", () => {
  it("that goes on behind a group that hasn't finished fails the attempt, and doesn't wait for ever", async () => {
    const handler = open(recorder(), async (context) => {
      await Promise.all([context.run("left", () => 1), context.run("right", () => 2)]);
      await context.run("then", () => 3);
    });
    const plan = (stepName: string, targetStep: number) =>
      record({ stepId: 0, stepName, targetStep, concurrent: 2 });
    const answer = await deliver(handler, [
      plan("left", 1),
      plan("right", 2),
      record({ stepName: "left", out: "1", concurrent: 2 }),
      record({ stepId: 3, stepName: "then", out: "3" }),
    ]);
    expect(answer).toMatchObject({
      status: 500,
      body: { where: "replay", message: expect.stringContaining("finished 1 of 2 steps") },
    });
  });

  it.each(["{}", "[]", "[1]", '[{"messageId":"a","body":"","callType":5}]'])("%s isn't one", (json) => {
    expect(() => parseHistory(json)).toThrow(MALFORMED);
  });

  it("with an entry that isn't base64 isn't one", () => {
    expect(() => readHistory([{ messageId: "a", body: "%", callType: "step" }])).toThrow(MALFORMED);
  });
});

describe("a failure", () => {
  it.each<[string, object]>([
    ["whose details are a text", { perdure: "x" }],
    ["without what was started", { perdure: { rollbacks: [] } }],
    ["whose history isn't one", { perdure: { started: [], rollbacks: [], history: "x" } }],
    ["whose rollbacks aren't any", { perdure: { started: [], rollbacks: [null] } }],
    [
      "whose rollback failed with nothing",
      { perdure: { started: [], rollbacks: [{ stepId: 1, stepName: "a", stepType: "Run", error: 1 }] } },
    ],
    ["whose body is a number", { body: 5 }],
    ["whose payload is a list", { sourceBody: [] }],
  ])("%s isn't one", async (_name, more) => {
    const body = failureBody(more);
    expect(() => parseFailure(body)).toThrow(MALFORMED);
    let told = false;
    const failureFunction = (): void => {
      told = true;
    };
    const handler = open(recorder(), () => 1, { failureFunction });
    expect(await answerOf(handler(request(body, failureHeaders())))).toMatchObject({ status: 400 });
    expect(told).toBe(false);
  });

  it("with values that nothing can be made of is told of without them", async () => {
    const odd = { toString: 1, valueOf: 1 };
    const body = JSON.stringify({
      ...JSON.parse(failureBody()),
      ...{ retried: odd, workflowCreatedAt: odd, url: odd, dlqId: undefined, sourceMessageId: odd },
      body: base64(JSON.stringify({ error: odd, message: "boom" })),
    }).replace('"header":{', '"header":{"__proto__":["x"],"B":[5,"b"],');
    const report = parseFailure(body);
    expect(report).toMatchObject({ attempts: 1, createdAt: undefined, url: undefined, failureId: "" });
    expect(report.error).toMatchObject({ name: "Error", message: "boom" });
    expect(report.failHeaders.B).toEqual(["b"]);
    expect(Object.getPrototypeOf(report.failHeaders)).toBe(Object.prototype);
  });

  it("with causes without end is told of with those that matter", async () => {
    let json = '{"message":"the end"}';
    for (let depth = 0; depth < 50_000; depth++) json = `{"message":"${depth}","cause":${json}}`;
    const causes = (error: unknown): number => (error instanceof Error ? 1 + causes(error.cause) : 0);
    let told: FailureFunctionParams | undefined;
    const handler = open(recorder(), () => 1, {
      failureFunction: (params) => {
        told = params;
      },
    });
    const body = failureBody({ body: base64(json) });
    expect(await answerOf(handler(request(body, failureHeaders())))).toMatchObject({ status: 200 });
    expect(causes(told?.error)).toBe(9);
    expect(asErrorBody(JSON.parse(json))?.message).toBe("49999");
  });
});

describe("the answer to a call", () => {
  const answer = (more: object) => JSON.stringify({ status: 489, header: {}, body: "", ...more });

  it.each<[string, string]>([
    ["with counts that are none", answer({ retried: { valueOf: 1, toString: 1 }, maxRetries: [] })],
    ["without headers", answer({ header: null, maxRetries: 3 })],
  ])("%s is recorded or waited for", async (_name, body) => {
    const handler = open(recorder(), () => 1);
    expect(await answerOf(handler(request(body, callHeaders())))).toMatchObject({ status: 200 });
  });
});

describe("a request", () => {
  it.each(["a:99999", "[::::]", "1.2.3.4.5", "a b", "a/b"])(
    "through a trusted proxy that names the host %s is for the endpoint's own",
    async (host) => {
      const handler = open(recorder(), () => 1, { trustProxy: true });
      const answer = await answerOf(handler(request("{}", { "X-Forwarded-Host": host })));
      expect(answer).toMatchObject({ status: 200 });
      expect(recorder().published[0]?.destination).toBe(URL);
    },
  );

  it.each(['{"retries":"x"}', '{"label":[{}]}', '{"timeout":"soon"}', '{"flowControl":{}}', "{"])(
    "that starts a run with the options %s is at fault itself",
    async (options) => {
      expect(() => decodeRunOptions(options)).toThrow(MALFORMED);
      const handler = closed(recorder(), () => 1);
      const answer = await answerOf(handler(await signed("{}", { "Perdure-Run-Options": options })));
      expect(answer).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining("Perdure-Run-Options") },
      });
      expect(recorder().requests).toEqual([]);
    },
  );

  it.each([
    [
      "of another version of the protocol is worth another attempt",
      { "Upstash-Workflow-Sdk-Version": "2" },
      null,
    ],
    ["without a run isn't", { "Upstash-Workflow-RunId": "" }, "true"],
  ])("%s", async (_name, headers, final) => {
    const handler = open(recorder(), () => 1);
    const answer = await answerOf(handler(request(history({}), runHeaders(headers))));
    expect(answer.status).toBe(400);
    expect(answer.headers.get("Upstash-NonRetryable-Error")).toBe(final);
  });
});

it("what a replay guard remembers is forgotten a minute after it has expired", () => {
  let now = 0;
  const guard = memoryReplayGuard(() => now);
  expect(guard.seen("a", 10)).toBe(false);
  now = 69_000;
  expect(guard.seen("a", 10)).toBe(true);
  now = 70_000;
  expect(guard.seen("a", 10)).toBe(false);
});

it("a workflow among several is no property that every object has", async () => {
  const { handler } = serveMany({ wf: createWorkflow(() => 1) }, { verify: "off", env: {} });
  for (const name of ["constructor", "__proto__", "toString", "%zz", ""])
    expect((await handler(new Request(`https://app.example.com/${name}`, { method: "POST" }))).status).toBe(
      404,
    );
});
