import {
  base64,
  entries,
  failureBody,
  failureHeaders,
  history,
  RUN,
  request,
  runHeaders,
  URL,
} from "@perdure/test-support/delivery";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { FailureFunctionParams, Schema } from "../src/index.ts";
import { serve, WorkflowNonRetryableError, WorkflowRetryAfterError } from "../src/index.ts";
import type { StepRecord } from "../src/protocol/index.ts";
import { answerOf, deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();

const ran = (stepId: number, stepName: string, out?: unknown): StepRecord => ({
  stepId,
  stepName,
  stepType: "Run",
  ...(out === undefined ? {} : { out: JSON.stringify(out) }),
  concurrent: 1,
});

describe("a start", () => {
  it("creates the run at the engine, arms its failure callback and runs nothing", async () => {
    let called = 0;
    const handler = open(recorder(), () => called++, { retries: 7 });
    const answer = await answerOf(
      handler(request('{"a":1}', { "X-User": "u", "Content-Type": "application/json" })),
    );
    expect(answer).toMatchObject({ status: 200, body: { finishCondition: "success" } });
    const [item] = recorder().published;
    expect(item).toMatchObject({ destination: URL, body: '{"a":1}' });
    expect(item?.headers).toMatchObject({
      "upstash-workflow-init": "true",
      "upstash-workflow-runid": answer.body.workflowRunId,
      "upstash-retries": "7",
      "upstash-failure-callback": URL,
      "upstash-failure-callback-retries": "7",
      "upstash-forward-x-user": "u",
    });
    expect(called).toBe(0);
  });

  it("doesn't store secrets of the caller, nor headers of its connection", async () => {
    const secrets = {
      Authorization: "Bearer s",
      Cookie: "s",
      "Upstash-Signature": "s",
      "X-Forwarded-For": "1.1.1.1",
      "Keep-Alive": "1",
    };
    await open(recorder(), () => 1)(request("{}", secrets));
    const forwarded = Object.keys(recorder().published[0]?.headers ?? {}).filter((name) =>
      name.includes("-forward-"),
    );
    expect(
      forwarded.filter((name) =>
        /authorization|cookie|signature|x-forwarded|keep-alive|content-length|host/.test(name),
      ),
    ).toEqual([]);
  });

  it("delivered twice by an engine starts one run", async () => {
    const handler = open(recorder(), () => 1);
    const ids = [];
    for (const retried of ["0", "1"]) {
      const headers = { "Upstash-Message-Id": "msg_abc", "Upstash-Retried": retried };
      ids.push((await answerOf(handler(request("{}", headers)))).body.workflowRunId);
    }
    expect(ids).toEqual(["wfr_msg_abc", "wfr_msg_abc"]);
  });

  it.each(["[1,2]", "a message", "é", "m".repeat(509)])(
    "of a message whose id can't name a run is refused: %s",
    async (id) => {
      const answer = await answerOf(open(recorder(), () => 1)(request("{}", { "Upstash-Message-Id": id })));
      expect(answer).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining("The header Upstash-Message-Id can't name a run") },
      });
      expect(recorder().published).toEqual([]);
    },
  );

  it("of a message with an empty id gets an id of its own", async () => {
    const answer = await answerOf(open(recorder(), () => 1)(request("{}", { "Upstash-Message-Id": "" })));
    expect(answer.body.workflowRunId).toMatch(/^wfr_.{21}$/);
  });

  it("by two callers starts two runs", async () => {
    const handler = open(recorder(), () => 1);
    const [a, b] = [await answerOf(handler(request("{}"))), await answerOf(handler(request("{}")))];
    expect(a.body.workflowRunId).not.toBe(b.body.workflowRunId);
  });

  it("without a body has no payload", async () => {
    await open(recorder(), () => 1)(request(undefined));
    expect(recorder().published[0]).not.toHaveProperty("body");
  });

  it("of a run that the engine made already configures that run", async () => {
    const handler = open(recorder(), () => 1);
    const headers = runHeaders({
      "Upstash-Workflow-Unknown-Sdk": "true",
      "Content-Type": "application/json",
    });
    expect(await answerOf(handler(request(history({ a: 1 }), headers)))).toMatchObject({
      body: { workflowRunId: RUN },
    });
    expect(recorder().published[0]).toMatchObject({
      body: '{"a":1}',
      headers: {
        "upstash-workflow-runid": RUN,
        "upstash-workflow-trigger-by-sdk": "true",
        "upstash-workflow-init": "true",
      },
    });
  });

  it("that the engine refuses is a failed attempt", async () => {
    recorder().answer = () => ({ status: 400, body: { error: "no such thing" } });
    const answer = await answerOf(open(recorder(), () => 1)(request("{}")));
    expect(answer).toMatchObject({
      status: 500,
      body: { message: expect.stringContaining("no such thing") },
    });
  });

  it("needs a token for the engine, and says so", async () => {
    const { handler } = serve(() => 1, { verify: "off", env: {} });
    expect((await answerOf(handler(request("{}")))).body.message).toContain("PERDURE_TOKEN");
  });
});

describe("a sequence", () => {
  it("publishes the first step's result and nothing else", async () => {
    const handler = open(recorder(), async (context) => {
      await context.run("one", () => ({ x: 1 }));
      await context.run("two", () => expect.unreachable());
    });
    expect(await deliver(handler, [])).toMatchObject({
      status: 200,
      body: { workflowRunId: RUN, finishCondition: "success" },
    });
    expect(recorder().published).toHaveLength(1);
    expect(recorder().published[0]).toMatchObject({
      destination: URL,
      body: '{"stepId":1,"stepName":"one","stepType":"Run","out":"{\\"x\\":1}","concurrent":1}',
      headers: {
        "content-type": "application/json",
        "upstash-method": "POST",
        "upstash-workflow-init": "false",
        "upstash-workflow-runid": RUN,
        "upstash-workflow-url": URL,
        "upstash-workflow-sdk-version": "1",
        "upstash-forward-upstash-workflow-sdk-version": "1",
        "upstash-feature-set": "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig",
      },
    });
  });

  it("uses recorded results and doesn't run their steps again", async () => {
    const handler = open(recorder(), async (context) => {
      const one = await context.run("one", (): { x: number } => expect.unreachable());
      return context.run("two", () => one.x + 1);
    });
    await deliver(handler, [ran(1, "one", { x: 41 })]);
    expect(recorder().records).toEqual([ran(2, "two", 42)]);
  });

  it("ends with the workflow's result", async () => {
    const handler = open(recorder(), async (context) => ({ got: await context.run("one", () => 0) }));
    expect(await deliver(handler, [ran(1, "one", 5)])).toMatchObject({ status: 200 });
    expect(recorder().finished).toMatchObject([
      { path: `/v2/workflows/runs/${RUN}?cancel=false`, body: '{"got":5}' },
    ]);
    expect(recorder().published).toEqual([]);
  });

  it("without a step or a result ends too", async () => {
    expect(
      await deliver(
        open(recorder(), () => undefined),
        [],
      ),
    ).toMatchObject({ status: 200 });
    expect(recorder().finished).toMatchObject([{ body: "" }]);
  });

  it.each([
    [undefined, undefined],
    [null, "null"],
    ["text", '"text"'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [[1, "é", { deep: [] }], '[1,"é",{"deep":[]}]'],
  ])("records %j as JSON", async (value, out) => {
    await deliver(
      open(recorder(), (context) => context.run("one", () => value)),
      [],
    );
    expect(recorder().records[0]?.out).toBe(out);
  });

  it("finds step names in any script", async () => {
    const handler = open(recorder(), async (context) => {
      await context.run("注文 ✓", () => 1);
      return context.run("é", () => 2);
    });
    await deliver(handler, [ran(1, "注文 ✓", 1)]);
    expect(recorder().records).toEqual([ran(2, "é", 2)]);
  });

  it("sleeps by the engine", async () => {
    const at = Date.UTC(2030, 0, 1) / 1000;
    const steps: [StepRecord, Record<string, string>][] = [
      [
        { stepId: 1, stepName: "s", stepType: "SleepFor", sleepFor: 5, concurrent: 1 },
        { "upstash-delay": "5s" },
      ],
      [
        { stepId: 2, stepName: "d", stepType: "SleepFor", sleepFor: "1d", concurrent: 1 },
        { "upstash-delay": "1d" },
      ],
      [
        { stepId: 3, stepName: "u", stepType: "SleepUntil", sleepUntil: at, concurrent: 1 },
        { "upstash-not-before": `${at}` },
      ],
      [
        { stepId: 4, stepName: "n", stepType: "SleepUntil", sleepUntil: 1.5, concurrent: 1 },
        { "upstash-not-before": "2" },
      ],
    ];
    const handler = open(recorder(), async (context) => {
      await context.sleep("s", 5);
      await context.sleep("d", "1d");
      await context.sleepUntil("u", new Date(at * 1000));
      await context.sleepUntil("n", 1.5);
    });
    for (const [at, [record, headers]] of steps.entries()) {
      await deliver(
        handler,
        steps.slice(0, at).map(([one]) => one),
      );
      expect(recorder().records.at(-1)).toEqual(record);
      expect(recorder().published.at(-1)?.headers).toMatchObject(headers);
    }
  });

  it("knows its run", async () => {
    const handler = open(recorder(), (context) => ({
      payload: context.requestPayload,
      run: context.workflowRunId,
      created: context.workflowRunCreatedAt,
      url: context.url,
      retried: context.retried,
      labels: context.labels,
      label: context.label,
      user: context.headers.get("X-User"),
      hidden: [...context.headers.keys()].filter((name) =>
        /^upstash-workflow|signature|x-forwarded/.test(name),
      ),
      token: context.env.PERDURE_TOKEN,
    }));
    const headers = runHeaders({
      "X-User": "u",
      "Upstash-Retried": "2",
      "Upstash-Label": "a,b",
      "Upstash-Signature": "s",
      "X-Forwarded-For": "1",
    });
    await handler(request(history({ a: 1 }), headers));
    expect(JSON.parse(recorder().returned[0] ?? "")).toEqual({
      payload: { a: 1 },
      run: RUN,
      created: 1_700_000_000_000,
      url: URL,
      retried: 2,
      labels: ["a", "b"],
      label: "a",
      user: "u",
      hidden: [],
      token: "token",
    });
  });

  it("fetches a history that was too large to be sent", async () => {
    const all = entries('{"big":true}', [ran(1, "one", 1)]).map((entry, at) =>
      at === 1 ? { ...entry, messageId: "msg_one" } : entry,
    );
    const later = {
      messageId: "msg_later",
      body: base64(JSON.stringify(ran(2, "two", 2))),
      callType: "step",
    };
    recorder().answer = ({ method }) => (method === "GET" ? { body: [...all, later] } : undefined);
    const handler = open(recorder(), async (context) => {
      await context.run("one", () => expect.unreachable());
      return context.run("two", () => context.requestPayload);
    });
    await handler(request(undefined, runHeaders({ "Upstash-Message-Id": "msg_one" })));
    expect(recorder().requests[0]).toMatchObject({
      method: "GET",
      path: `/v2/workflows/runs/${RUN}`,
      headers: { authorization: "Bearer token" },
    });
    expect(recorder().records).toEqual([ran(2, "two", { big: true })]);
  });

  it.each([
    ["doesn't hold the delivered message yet", entries("{}", [ran(1, "one")])],
    ["isn't a history", { oops: true }],
  ])("whose fetched history %s is delivered again", async (_name, body) => {
    recorder().answer = ({ method }) => (method === "GET" ? { body } : undefined);
    const handler = open(recorder(), () => expect.unreachable());
    const answer = await answerOf(
      handler(request(undefined, runHeaders({ "Upstash-Message-Id": "msg_other" }))),
    );
    expect(answer.status).toBe(500);
    expect(answer.headers.get("Upstash-NonRetryable-Error")).toBeNull();
  });

  it("whose run is over by now has nothing to do", async () => {
    recorder().answer = () => ({ status: 404, body: { error: "gone" } });
    const handler = open(recorder(), () => expect.unreachable());
    expect(await answerOf(handler(request(undefined, runHeaders())))).toMatchObject({
      status: 200,
      body: { finishCondition: "workflow-already-ended" },
    });
    const finishing = open(recorder(), () => "result");
    expect(await deliver(finishing, [])).toMatchObject({
      status: 200,
      body: { finishCondition: "workflow-already-ended" },
    });
  });

  it("delivered a second time does nothing", async () => {
    const handler = open(recorder(), () => expect.unreachable());
    expect(await deliver(handler, [ran(1, "one"), ran(1, "one")])).toMatchObject({
      status: 200,
      body: { finishCondition: "duplicate-step" },
    });
    expect(recorder().requests).toEqual([]);
  });
});

describe("a failing attempt", () => {
  const failing = (error: unknown) =>
    open(recorder(), (context) => context.run("charge", () => Promise.reject(error)), {
      authorize: () => true,
    });

  it("answers 500 with the error and the step, and publishes nothing", async () => {
    const answer = await deliver(failing(new TypeError("boom")), []);
    expect(answer).toMatchObject({
      status: 500,
      body: { error: "TypeError", message: "boom", stack: expect.stringContaining("boom") },
    });
    expect(answer.headers.get("Upstash-Error-Step-Name")).toBe("charge");
    expect(answer.headers.get("Upstash-NonRetryable-Error")).toBeNull();
    expect(recorder().requests).toEqual([]);
  });

  it("answers 489 to WorkflowNonRetryableError", async () => {
    const answer = await deliver(failing(new WorkflowNonRetryableError("never")), []);
    expect(answer).toMatchObject({
      status: 489,
      body: { error: "WorkflowNonRetryableError", message: "never" },
    });
    expect(answer.headers.get("Upstash-NonRetryable-Error")).toBe("true");
  });

  it.each<[number | `${bigint}d`, string]>([
    [1.2, "2"],
    ["1d", "86400"],
  ])(
    "answers 429 to WorkflowRetryAfterError(%s) with seconds that every engine reads",
    async (retryAfter, seconds) => {
      const answer = await deliver(failing(new WorkflowRetryAfterError("later", retryAfter)), []);
      expect(answer.status).toBe(429);
      expect(answer.headers.get("Retry-After")).toBe(seconds);
    },
  );

  it.each([
    ["a text", "plain", { error: "Error", message: "plain" }],
    ["an object", { code: 5 }, { error: "Error", message: '{"code":5}' }],
    ["nothing", undefined, { error: "Error", message: "undefined" }],
    ["a frozen object", Object.freeze({ a: 1 }), { error: "Error", message: '{"a":1}' }],
  ])("reports %s that was thrown", async (_name, thrown, body) => {
    const step = { id: 1, name: "charge", type: "Run" };
    expect((await deliver(failing(thrown), [])).body).toEqual({ ...body, where: "step", step });
  });

  it("of a step whose name isn't ASCII still says which", async () => {
    const handler = open(recorder(), (context) =>
      context.run("注文 50%", () => Promise.reject(new Error("x"))),
    );
    const answer = await deliver(handler, []);
    expect(answer.status).toBe(500);
    expect(decodeURIComponent(answer.headers.get("Upstash-Error-Step-Name") ?? "")).toBe("注文 50%");
  });

  it("outside a step names none", async () => {
    const answer = await deliver(
      open(recorder(), () => Promise.reject(new Error("early"))),
      [],
    );
    expect(answer).toMatchObject({ status: 500, body: { message: "early" } });
    expect(answer.headers.get("Upstash-Error-Step-Name")).toBeNull();
  });

  it.each([
    ["a BigInt", { n: 1n }],
    [
      "a circle",
      (() =>
        Object.assign([], { self: 1 }, [{}]).map((o: { me?: unknown }) => Object.assign(o, { me: o })))(),
    ],
  ])("because of %s in a step's result isn't retried: the work is done", async (_name, value: unknown) => {
    const answer = await deliver(
      open(recorder(), (context) => context.run("one", () => value)),
      [],
    );
    expect(answer).toMatchObject({
      status: 489,
      body: { message: expect.stringContaining('The result of step "one" can\'t be stored as JSON') },
    });
    expect(recorder().requests).toEqual([]);
  });

  it("because of the workflow's result isn't retried either", async () => {
    expect(
      await deliver(
        open(recorder(), () => 1n),
        [],
      ),
    ).toMatchObject({ status: 489 });
    expect(recorder().requests).toEqual([]);
  });
});

describe("what the engine says to a step", () => {
  const handler = () => open(recorder(), (context) => context.run("one", () => 1));

  it("400 because the run is over: nothing to do", async () => {
    recorder().answer = ({ method }) => ({
      status: method === "GET" ? 404 : 400,
      body: { error: "run has ended" },
    });
    expect(await deliver(handler(), [])).toMatchObject({
      status: 200,
      body: { finishCondition: "workflow-already-ended" },
    });
  });

  it("400 to a live run: the run fails at once with the engine's words", async () => {
    recorder().answer = ({ method }) =>
      method === "GET" ? { body: entries("{}", []) } : { status: 400, body: { error: "delay is too long" } };
    expect(await deliver(handler(), [])).toMatchObject({
      status: 489,
      body: { message: expect.stringContaining("delay is too long") },
    });
  });

  it("412: the plan forbids it, the run fails at once", async () => {
    recorder().answer = () => ({ status: 412, body: { error: "quota" } });
    expect(await deliver(handler(), [])).toMatchObject({
      status: 489,
      body: { message: expect.stringContaining("quota") },
    });
  });

  it.each([429, 500, 503])("%d: the attempt fails and is retried", async (status) => {
    recorder().answer = () => ({ status, body: { error: "trouble" } });
    expect(await deliver(handler(), [])).toMatchObject({
      status: 500,
      body: { message: expect.stringContaining("trouble") },
    });
  });

  it("nothing, because it isn't there: the attempt fails", async () => {
    const env = { PERDURE_URL: "http://127.0.0.1:1", PERDURE_TOKEN: "t" };
    const unreachable = open(recorder(), (context) => context.run("one", () => 1), {
      env,
      qstashClient: { retry: false },
    });
    expect(await deliver(unreachable, [])).toMatchObject({
      status: 500,
      body: { message: expect.stringContaining("can't be reached") },
    });
  });
});

describe("the payload", () => {
  const seen = async (payload: string, options: object) => {
    const handler = open(recorder(), (context) => context.requestPayload, options);
    const answer = await answerOf(handler(request(JSON.stringify(entries(payload, [])), runHeaders())));
    return { answer, payload: recorder().returned[0] };
  };

  it.each([
    ["JSON", '{"a":[1]}', '{"a":[1]}'],
    ["text", "hello", '"hello"'],
    ["nothing", "", ""],
  ])("is %s", async (_name, payload, result) => expect((await seen(payload, {})).payload).toBe(result));

  it("goes through a parser", async () => {
    expect((await seen("a,b", { initialPayloadParser: (text: string) => text.split(",") })).payload).toBe(
      '["a","b"]',
    );
  });

  const schemas: [string, Schema][] = [
    ["zod", z.object({ n: z.coerce.number().default(5) })],
    ["valibot", v.object({ n: v.optional(v.pipe(v.unknown(), v.transform(Number), v.number()), 5) })],
    ["arktype", type({ n: "number = 5" })],
  ];
  it.each(schemas)("goes through a schema of %s", async (_name, schema) => {
    expect((await seen("{}", { schema })).payload).toBe('{"n":5}');
  });

  it.each(schemas)("that %s rejects fails the run at once, and says where", async (_name, schema) => {
    const { answer } = await seen('{"n":{}}', { schema });
    expect(answer).toMatchObject({
      status: 489,
      body: { message: expect.stringMatching(/payload doesn't fit.*\bn\b/) },
    });
    expect(recorder().requests).toEqual([]);
  });

  it("that isn't JSON is judged by the schema too", async () => {
    expect((await seen("hello", { schema: z.object({}) })).answer.status).toBe(489);
    expect((await seen("hello", { schema: z.string() })).payload).toBe('"hello"');
  });

  it("takes one of the two ways", () => {
    const both = { schema: z.string(), initialPayloadParser: (text: string) => text };
    expect(() => serve(() => 1, both as never)).toThrow(TypeError);
  });
});

describe("an option of serve", () => {
  it.each<[string, unknown, object]>([
    ["a workflow", { run: 1 }, {}],
    ["failureFunction", () => 1, { failureFunction: "undo" }],
    ["cancelFunction", () => 1, { cancelFunction: 5 }],
    ["bodyLimit", () => 1, { bodyLimit: "1mb" }],
    ["retries", () => 1, { retries: -1 }],
    ["failureRetries", () => 1, { failureRetries: -1 }],
    ["timeout", () => 1, { timeout: "soon" }],
    ["schema", () => 1, { schema: { parse: (value: unknown) => value } }],
  ])("that can't be is refused where it is written, by its name: %s", (name, workflow, options) => {
    expect(() => serve(workflow as never, options)).toThrow(TypeError);
    expect(() => serve(workflow as never, options)).toThrow(new RegExp(`^${name}`, "i"));
  });
});

describe("a context", () => {
  it("may be copied and printed", async () => {
    await deliver(
      open(recorder(), (context) => ({ ...context })),
      [],
      { a: 1 },
    );
    const copy = JSON.parse(recorder().returned[0] ?? "");
    expect(copy).toMatchObject({ requestPayload: { a: 1 }, retried: 0 });
    expect(copy).not.toHaveProperty("qstashClient");
  });
});

describe("the failure function", () => {
  const call = (
    failureFunction: (params: FailureFunctionParams) => unknown,
    body = failureBody(),
    options = {},
  ) => {
    const handler = open(recorder(), () => expect.unreachable(), { failureFunction, ...options });
    return answerOf(
      handler(request(body, failureHeaders({ "X-User": "u", "Upstash-Label": "a", "Upstash-Retried": "1" }))),
    );
  };

  it("is told the run and the reason, and its result goes back", async () => {
    let told: FailureFunctionParams | undefined;
    const answer = await call((params) => {
      told = params;
      return { released: true };
    });
    expect(answer).toMatchObject({ status: 200, body: { result: { released: true } } });
    expect(told).toMatchObject({
      failStatus: 500,
      failResponse: "boom",
      failStack: "TypeError: boom\n    at charge",
      failHeaders: { "Content-Type": ["application/json"] },
      context: {
        requestPayload: { a: 1 },
        workflowRunId: RUN,
        workflowRunCreatedAt: 1_700_000_000_000,
        url: URL,
        label: "a",
        labels: ["a"],
        retried: 1,
        env: { PERDURE_TOKEN: "token" },
      },
    });
    expect(told?.context.headers.get("X-User")).toBe("u");
    expect(() => Reflect.get(told?.context ?? {}, "run")).toThrow(
      /context.run is not available after the run's end/,
    );
    expect(recorder().requests).toEqual([]);
  });

  it("runs for a payload that the schema rejects, and sees it as it came", async () => {
    let payload: unknown;
    const body = failureBody({ sourceBody: base64('{"bad":1}') });
    const answer = await call(({ context }) => (payload = context.requestPayload), body, {
      schema: z.object({ n: z.number() }),
    });
    expect(answer.status).toBe(200);
    expect(payload).toEqual({ bad: 1 });
  });

  it("may return nothing", async () => {
    expect(await call(() => undefined)).toMatchObject({ status: 200, body: {} });
  });

  it.each<[string, unknown, number]>([
    ["is retried", new Error("mail server down"), 500],
    ["isn't retried when it asks not to", new WorkflowNonRetryableError("give up"), 489],
    ["is retried later when it asks for that", new WorkflowRetryAfterError("later", 60), 429],
  ])("%s after it threw", async (_name, error, status) => {
    const answer = await call(() => Promise.reject(error));
    expect(answer).toMatchObject({ status, body: { message: (error as Error).message } });
  });

  it("whose result can't be stored isn't called again", async () => {
    expect(await call(() => 1n)).toMatchObject({
      status: 489,
      body: { message: expect.stringContaining("failure function's result") },
    });
  });

  it("that is missing is reported as such", async () => {
    const handler = open(recorder(), () => expect.unreachable());
    const answer = await answerOf(handler(request("whatever", failureHeaders())));
    expect(answer).toMatchObject({
      status: 200,
      body: { workflowRunId: RUN, finishCondition: "failure-callback-undefined" },
    });
    expect(answer.headers.get("Upstash-Workflow-Failure-Callback-Notfound")).toBe("true");
  });
});

describe("bad input", () => {
  const handler = (options = {}) => open(recorder(), () => expect.unreachable(), options);

  it.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])("%s is answered with 405", async (method) => {
    const response = await handler()(new Request(URL, { method }));
    expect(response.status).toBe(405);
    expect(response.headers.get("Allow")).toBe("POST");
  });

  it.each([
    ["isn't JSON", "hello", runHeaders()],
    ["is cut off", history({ a: 1 }, [ran(1, "one")]).slice(0, -20), runHeaders()],
    ["is no history", "{}", runHeaders()],
    ["is a failure callback without a status", "{}", failureHeaders()],
    ["is a failure callback that isn't JSON", "<html>", failureHeaders()],
  ])("a body that %s is answered with 400 and not retried", async (_name, body, headers) => {
    const answer = await answerOf(
      handler({ failureFunction: () => expect.unreachable() })(request(body, headers)),
    );
    expect(answer).toMatchObject({ status: 400, body: { error: "WorkflowError" } });
    expect(answer.headers.get("Upstash-NonRetryable-Error")).toBe("true");
    expect(recorder().requests).toEqual([]);
  });

  it.each([
    [
      "with its length",
      (body: string) => request(body, { ...runHeaders(), "Content-Length": String(body.length) }),
    ],
    [
      "as a stream",
      (body: string) =>
        new Request(URL, {
          method: "POST",
          headers: runHeaders(),
          body: new Blob([body]).stream(),
          duplex: "half",
        } as RequestInit),
    ],
  ])("a body over the limit, sent %s, is answered with 413", async (_name, make) => {
    const body = history({ a: "x".repeat(1000) });
    expect(await answerOf(handler({ bodyLimit: 100 })(make(body)))).toMatchObject({
      status: 413,
      body: { message: expect.stringContaining("100 bytes") },
    });
  });

  it.each([
    [
      "an unknown protocol version",
      runHeaders({ "Upstash-Workflow-Sdk-Version": "2" }),
      /Sdk-Version is "2"/,
    ],
    ["no run id", { "Upstash-Workflow-Sdk-Version": "1" }, /Upstash-Workflow-RunId/],
    ["no run id on a failure", { "Upstash-Workflow-Is-Failure": "true" }, /Upstash-Workflow-RunId/],
    [
      "no run id on an unknown SDK's start",
      { "Upstash-Workflow-Unknown-Sdk": "1" },
      /Upstash-Workflow-RunId/,
    ],
  ])("%s is answered with a clear error", async (_name, headers, message) => {
    const answer = await answerOf(handler()(request(history({}), headers as Record<string, string>)));
    expect(answer).toMatchObject({
      status: 400,
      body: { error: "WorkflowError", message: expect.stringMatching(message) },
    });
  });

  it("a body that was read before says how to mend it", async () => {
    const used = request("{}");
    await used.text();
    expect(await answerOf(handler()(used))).toMatchObject({
      status: 500,
      body: { error: "TypeError", message: expect.stringContaining("unread") },
    });
  });

  const misuse = (steps: (context: Record<string, (...given: unknown[]) => unknown>) => unknown) =>
    steps as never;
  it.each([
    ["an empty name", misuse((context) => context.run?.("", () => 1))],
    ["no name", misuse((context) => context.sleep?.(undefined, 1))],
    ["no function", misuse((context) => context.run?.("one"))],
    ["a bad duration", misuse((context) => context.sleep?.("one", "soon"))],
    ["a bad time-out", misuse((context) => context.waitForEvent?.("one", "e", { timeout: "soon" }))],
    ["a bad date", misuse((context) => context.sleepUntil?.("one", "someday"))],
  ])("a step with %s fails with a TypeError", async (_name, workflow) => {
    const answer = await deliver(open(recorder(), workflow), []);
    expect(answer).toMatchObject({ status: 500, body: { error: "TypeError" } });
    expect(answer.body.message).toMatch(/step/i);
    expect(recorder().requests).toEqual([]);
  });
});
