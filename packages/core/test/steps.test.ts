import { base64, entries, history, RUN, request, runHeaders, URL } from "@perdure/test-support/delivery";
import { MODE } from "@perdure/test-support/mode";
import { describe, expect, it } from "vitest";
import { createWorkflow, serveMany, type WorkflowContext } from "../src/index.ts";
import type { StepRecord } from "../src/protocol/index.ts";
import { answerOf, deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();

const recorded = (
  stepName: string,
  stepType: StepRecord["stepType"],
  more: Partial<StepRecord>,
): StepRecord => ({
  stepId: 1,
  stepName,
  stepType,
  concurrent: 1,
  ...more,
});

/** Delivers a history with one record, and gives what the workflow returned. */
async function result(workflow: (context: WorkflowContext) => unknown, record: StepRecord): Promise<unknown> {
  const answer = await deliver(open(recorder(), workflow), [record]);
  expect(answer.status).toBe(200);
  return JSON.parse(recorder().returned[0] || "null");
}

describe("call", () => {
  it("hands the request to the engine, and says where to bring the answer", async () => {
    const handler = open(recorder(), (context) =>
      context.call("größe", {
        url: "https://api.example.com/x",
        method: "POST",
        body: '{"a":1}',
        headers: { Authorization: "Bearer z", "Content-Type": "text/json" },
        retries: 2,
        retryDelay: "1000",
        timeout: 30,
        flowControl: { key: "k", parallelism: 1 },
      }),
    );
    await handler(request(history({}), runHeaders({ "Upstash-Workflow-Invoke-Count": "3" })));
    const [item] = recorder().published;
    expect(item).toMatchObject({ destination: "https://api.example.com/x", body: '{"a":1}' });
    expect(item?.headers).toMatchObject({
      "upstash-method": "POST",
      "content-type": "text/json",
      "upstash-workflow-calltype": "toCallback",
      "upstash-workflow-init": "false",
      "upstash-workflow-runid": RUN,
      "upstash-workflow-url": URL,
      "upstash-feature-set": "WF_NoDelete,InitialBody",
      "upstash-retries": "2",
      "upstash-retry-delay": "1000",
      "upstash-timeout": "30s",
      "upstash-flow-control-key": "k",
      "upstash-flow-control-value": "parallelism=1",
      "upstash-forward-authorization": "Bearer z",
      "upstash-forward-content-type": "text/json",
      "upstash-callback": URL,
      "upstash-callback-workflow-calltype": "fromCallback",
      "upstash-callback-workflow-runid": RUN,
      "upstash-callback-feature-set": "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig",
      "upstash-callback-forward-upstash-workflow-callback": "true",
      "upstash-callback-forward-upstash-workflow-stepid": "1",
      "upstash-callback-forward-upstash-workflow-stepname": "gr%C3%B6%C3%9Fe",
      "upstash-callback-forward-upstash-workflow-steptype": "Call",
      "upstash-callback-forward-upstash-workflow-concurrent": "1",
      "upstash-callback-forward-upstash-workflow-invoke-count": "3",
    });
    // C8: how deep a run is invoked is none of a third party's business.
    expect(item?.headers["upstash-forward-upstash-workflow-invoke-count"]).toBeUndefined();
    expect(item?.headers["upstash-forward-upstash-workflow-sdk-version"]).toBeUndefined();
  });

  it("is a GET without retries by default", async () => {
    await deliver(
      open(recorder(), (context) => context.call("c", { url: "https://a.example/" })),
      [],
    );
    expect(recorder().published[0]).not.toHaveProperty("body");
    expect(recorder().published[0]?.headers).toMatchObject({
      "upstash-method": "GET",
      "upstash-retries": "0",
    });
  });

  const answered = (body: string | Uint8Array, contentType?: string) =>
    recorded("c", "Call", {
      out: JSON.stringify({
        status: 201,
        body: Buffer.from(body as string).toString("latin1"),
        header: contentType === undefined ? {} : { "content-type": [contentType] },
      }),
    });

  it.each<[string, StepRecord, unknown]>([
    ["JSON", answered('{"é":1}', "application/json"), { é: 1 }],
    ["JSON without a content type", answered('{"é":1}'), { é: 1 }],
    ["JSON of another type", answered('{"é":1}', "application/vnd.api+json"), { é: 1 }],
    ["text", answered("größe", "text/plain"), "größe"],
    ["text without a content type", answered("größe"), "größe"],
    ["text in latin-1", answered(Buffer.from("größe", "latin1"), "text/plain; charset=iso-8859-1"), "größe"],
    ["nothing", answered(""), ""],
  ])("gives %s as it is", async (_name, record, body) => {
    const workflow = (context: WorkflowContext) => context.call("c", { url: "https://a.example/" });
    expect(await result(workflow, record)).toMatchObject({ status: 201, body });
  });

  it.each([
    ["an image", answered(new Uint8Array([137, 80, 0, 255]), "image/png")],
    ["bytes without a content type", answered(new Uint8Array([137, 80, 0, 255]))],
    ["bytes that call themselves text", answered(new Uint8Array([137, 80, 0, 255]), "text/plain")],
  ])("gives %s as bytes, exactly", async (_name, record) => {
    const workflow = async (context: WorkflowContext) => {
      const { body } = await context.call("c", { url: "https://a.example/" });
      return body instanceof Uint8Array ? [...body] : "not bytes";
    };
    expect(await result(workflow, record)).toEqual([137, 80, 0, 255]);
  });

  it.each<[string, object]>([
    ["no URL", {}],
    ["a URL without scheme", { url: "api.example.com" }],
    ["a body that isn't a text", { url: "https://a.example/", body: { a: 1 } }],
    ["bad retries", { url: "https://a.example/", retries: -1 }],
  ])("with %s fails with a TypeError", async (_name, settings) => {
    const handler = open(recorder(), (context) => context.call("c", settings as { url: string }));
    expect(await deliver(handler, [])).toMatchObject({ status: 500, body: { error: "TypeError" } });
    expect(recorder().requests).toEqual([]);
  });
});

describe("the answer to a call", () => {
  const headers = (more: Record<string, string> = {}) => ({
    "Upstash-Workflow-RunId": RUN,
    "Upstash-Workflow-Callback": "true",
    "Upstash-Workflow-StepId": "3",
    "Upstash-Workflow-StepName": "gr%C3%B6%C3%9Fe",
    "Upstash-Workflow-StepType": "Call",
    "Upstash-Workflow-Concurrent": "2",
    "Upstash-Message-Id": "msg_answer",
    ...more,
  });
  const body = (more: object = {}) =>
    JSON.stringify({
      status: 200,
      header: { "x-a": ["1"] },
      body: base64("é"),
      retried: 0,
      maxRetries: 0,
      ...more,
    });
  const out = JSON.stringify({
    status: 200,
    body: Buffer.from("é").toString("latin1"),
    header: { "x-a": ["1"] },
  });
  const bring = (payload: string | undefined, more = {}) =>
    answerOf(open(recorder(), () => expect.unreachable())(request(payload, headers(more))));

  it("is recorded without running the workflow", async () => {
    expect(await bring(body())).toMatchObject({
      status: 200,
      body: { workflowRunId: RUN, finishCondition: "fromCallback" },
    });
    expect(recorder().records).toEqual([
      { stepId: 3, stepName: "größe", stepType: "Call", out, concurrent: 2 },
    ]);
    expect(recorder().published[0]?.destination).toBe(URL);
  });

  it("isn't touched by a schema for the payload", async () => {
    const handler = open(recorder(), () => expect.unreachable(), {
      initialPayloadParser: () => expect.unreachable(),
    });
    expect(await answerOf(handler(request(body(), headers())))).toMatchObject({ status: 200 });
  });

  it.each([
    ["will be tried again", { status: 500, retried: 1, maxRetries: 3 }, 0],
    ["was tried for the last time", { status: 500, retried: 3, maxRetries: 3 }, 1],
    ["isn't to be tried again", { status: 500, maxRetries: 0 }, 1],
    [
      "forbids another try",
      { status: 489, retried: 0, maxRetries: 3, header: { "upstash-nonretryable-error": ["true"] } },
      1,
    ],
    ["succeeded in between", { status: 200, retried: 1, maxRetries: 3 }, 1],
  ])("that %s is recorded only if it is the last", async (_name, more, records) => {
    expect(await bring(body(more))).toMatchObject({ status: 200, body: { finishCondition: "fromCallback" } });
    expect(recorder().records).toHaveLength(records);
  });

  it("is fetched when it was too large to be sent", async () => {
    const answer = { messageId: "msg_answer", callType: "fromCallback", body: base64(body()) };
    recorder().answer = ({ method }) =>
      method === "GET" ? { body: [...entries("{}", []), answer] } : undefined;
    expect(await bring(undefined)).toMatchObject({ status: 200 });
    expect(recorder().records).toMatchObject([{ stepId: 3, out }]);
  });

  it("to a run that is over changes nothing", async () => {
    recorder().answer = ({ method }) => ({ status: method === "GET" ? 404 : 400, body: { error: "over" } });
    expect(await bring(body())).toMatchObject({
      status: 200,
      body: { finishCondition: "workflow-already-ended" },
    });
    expect(await bring(undefined)).toMatchObject({
      status: 200,
      body: { finishCondition: "workflow-already-ended" },
    });
  });

  it.each([
    ["isn't JSON", "oops", {}],
    ["has no status", "{}", {}],
    ["has a broken body", body({ body: "%%" }), {}],
    ["doesn't say for which step", body(), { "Upstash-Workflow-StepId": "" }],
  ])("that %s is refused with 400", async (_name, payload, more) => {
    expect(await bring(payload, more)).toMatchObject({ status: 400 });
    expect(recorder().published).toEqual([]);
  });
});

describe("services that can be called by name", () => {
  const call = async (workflow: (context: WorkflowContext) => unknown) => {
    await deliver(open(recorder(), workflow), []);
    return recorder().published[0];
  };
  const flowControl = { key: "k", rate: 1 };

  it("OpenAI, and whoever has the same API", async () => {
    const settings = {
      token: "t",
      organization: "o",
      operation: "chat.completions.create",
      body: { model: "m" },
      flowControl,
    } as const;
    expect(await call((context) => context.api.openai.call("ask", settings))).toMatchObject({
      destination: "https://api.openai.com/v1/chat/completions",
      body: '{"model":"m"}',
      headers: {
        "upstash-method": "POST",
        "upstash-forward-authorization": "Bearer t",
        "upstash-forward-openai-organization": "o",
        "upstash-flow-control-key": "k",
      },
    });
    for (const baseURL of [
      "https://api.deepseek.com",
      "https://api.deepseek.com/v1",
      "https://api.deepseek.com/v1/chat/completions/",
    ]) {
      recorder().reset();
      const item = await call((context) => context.api.openai.call("ask", { ...settings, baseURL }));
      expect(item?.destination).toBe("https://api.deepseek.com/v1/chat/completions");
    }
  });

  it("Anthropic", async () => {
    const settings = { token: "t", operation: "messages.create", body: {}, retries: 2 } as const;
    expect(await call((context) => context.api.anthropic.call("ask", settings))).toMatchObject({
      destination: "https://api.anthropic.com/v1/messages",
      headers: {
        "upstash-forward-x-api-key": "t",
        "upstash-forward-anthropic-version": "2023-06-01",
        "upstash-retries": "2",
      },
    });
  });

  it("by another method where that is said", async () => {
    const settings = { token: "t", body: {}, method: "PATCH" } as const;
    const openai = { ...settings, operation: "chat.completions.create" } as const;
    const anthropic = { ...settings, operation: "messages.create" } as const;
    for (const workflow of [
      (context: WorkflowContext) => context.api.openai.call("ask", openai),
      (context: WorkflowContext) => context.api.anthropic.call("ask", anthropic),
      (context: WorkflowContext) => context.api.resend.call("ask", settings),
    ]) {
      recorder().reset();
      expect((await call(workflow))?.headers["upstash-method"]).toBe("PATCH");
    }
  });

  it.each([
    [false, "https://api.resend.com/emails"],
    [true, "https://api.resend.com/emails/batch"],
  ])("Resend, batch %s", async (batch, destination) => {
    const item = await call((context) => context.api.resend.call("mail", { token: "t", batch, body: {} }));
    expect(item).toMatchObject({ destination, headers: { "upstash-forward-authorization": "Bearer t" } });
  });
});

describe("events", () => {
  it.each([
    [undefined, "7d"],
    [90, "90s"],
    ["1h", "1h"],
  ] as const)("waitForEvent with timeout %s asks the engine to wait for %s", async (timeout, sent) => {
    const handler = open(recorder(), (context) =>
      context.waitForEvent("approval", "order/1?x", timeout === undefined ? {} : { timeout }),
    );
    await deliver(handler, []);
    const [asked] = recorder().waits;
    // R11: whatever is in the id, it is one segment of the path.
    expect(asked?.eventId).toBe("order/1?x");
    expect(Object.fromEntries(new Headers(asked?.headers))).toMatchObject({
      "upstash-workflow-runid": RUN,
      "upstash-workflow-calltype": "step",
    });
    expect(asked?.body).toMatchObject({
      url: URL,
      timeout: sent,
      timeoutUrl: URL,
      timeoutHeaders: {
        "Upstash-Workflow-RunId": [RUN],
        "Upstash-Workflow-Init": ["false"],
        "Upstash-Forward-Upstash-Workflow-Sdk-Version": ["1"],
        "Content-Type": ["application/json"],
      },
      step: { stepId: 1, stepType: "Wait", stepName: "approval", concurrent: 1 },
    });
  });

  it.each([
    ["JSON", { out: base64('{"ok":true}') }, { timeout: false, eventData: { ok: true } }],
    ["text", { out: base64("größe") }, { timeout: false, eventData: "größe" }],
    ["nothing", {}, { timeout: false }],
    ["too late", { waitTimeout: true }, { timeout: true }],
  ])("give what was sent: %s", async (_name, more, expected) => {
    const record = recorded("approval", "Wait", { waitEventId: "e", ...more });
    expect(await result((context) => context.waitForEvent("approval", "e"), record)).toEqual(expected);
  });

  it.each([
    [undefined, "/v2/notify/order:1"],
    ["wfr_other", "/v2/notify/wfr_other/order:1"],
  ])("notify of run %s tells the engine once, and records who was told", async (workflowRunId, path) => {
    recorder().answer = (asked) =>
      asked.path === path ? { status: 201, body: [{ messageId: "m" }] } : undefined;
    await deliver(
      open(recorder(), (context) => context.notify("tell", "order:1", { a: 1 }, workflowRunId)),
      [],
    );
    expect(recorder().requests[0]).toMatchObject({ method: "POST", path, body: '{"a":1}' });
    expect(JSON.parse(recorder().records[0]?.out ?? "")).toEqual({
      eventId: "order:1",
      eventData: { a: 1 },
      notifyResponse: [{ messageId: "m" }],
    });
  });

  it("notify of a run that has ended, or is unknown, tells nobody", async () => {
    recorder().answer = ({ path }) =>
      path.startsWith("/v2/notify/") ? { status: 404, body: { error: "not found" } } : undefined;
    await deliver(
      open(recorder(), (context) => context.notify("tell", "paid", 1, "wfr_gone")),
      [],
    );
    expect(JSON.parse(recorder().records[0]?.out ?? "")).toMatchObject({ notifyResponse: [] });
  });

  it("need an id", async () => {
    for (const workflow of [
      (context: WorkflowContext) => context.waitForEvent("w", ""),
      (context: WorkflowContext) => context.notify("n", ""),
      (context: WorkflowContext) => context.notify("n", "e", 1, ""),
    ]) {
      expect(await deliver(open(recorder(), workflow), [])).toMatchObject({ body: { error: "TypeError" } });
    }
  });
});

describe("webhooks", () => {
  const token = Buffer.from(JSON.stringify({ UserID: "user 1", Password: "p" })).toString("base64");

  it("have an address of their own, under the engine", async () => {
    const env = { PERDURE_URL: recorder().url, PERDURE_TOKEN: token };
    await deliver(
      open(recorder(), (context) => context.createWebhook("hook"), { env }),
      [],
    );
    const { webhookUrl, eventId } = JSON.parse(recorder().records[0]?.out ?? "");
    expect(webhookUrl).toBe(`${recorder().url}/v2/workflows/hooks/user%201/${RUN}/${eventId}`);
    expect(eventId).toMatch(/^evt_.{21}$/);
  });

  it("need a token that says whose they are", async () => {
    const answer = await deliver(
      open(recorder(), (context) => context.createWebhook("hook")),
      [],
    );
    expect(answer.body.message).toContain("token");
  });

  it("are waited for, and give the request as it came", async () => {
    const webhook = { webhookUrl: "https://e.example/hook", eventId: "evt_1" };
    await deliver(
      open(recorder(), (context) => context.waitForWebhook("w", webhook, "1h")),
      [],
    );
    expect(recorder().waits).toMatchObject([
      { eventId: "evt_1", body: { step: { stepType: "WaitForWebhook" } } },
    ]);
    const hit = {
      method: "PUT",
      header: { "X-A": ["1", "2"] },
      body: base64("größe"),
      proto: "https",
      host: "e.example",
      url: "/hook?x=1",
    };
    const record = recorded("w", "WaitForWebhook", {
      waitEventId: "evt_1",
      out: base64(JSON.stringify(hit)),
    });
    const seen = async (context: WorkflowContext) => {
      const { request: got } = await context.waitForWebhook("w", webhook, "1h");
      return [got?.method, got?.url, got?.headers.get("X-A"), await got?.text()];
    };
    recorder().reset();
    expect(await result(seen, record)).toEqual(["PUT", "https://e.example/hook?x=1", "1, 2", "größe"]);
  });

  it("may be waited for in vain", async () => {
    const record = recorded("w", "WaitForWebhook", { waitTimeout: true });
    const workflow = (context: WorkflowContext) =>
      context.waitForWebhook("w", { webhookUrl: "", eventId: "e" }, 1);
    expect(await result(workflow, record)).toEqual({ timeout: true });
  });
});

describe("several workflows", () => {
  const many = (parent: (context: WorkflowContext) => unknown, child: object, options = {}) => {
    const env = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" };
    const { handler } = serveMany(
      { parent: createWorkflow(parent), child: child as never },
      { env, verify: "off", ...options },
    );
    const url = "https://app.example.com/api/parent?x=1";
    return (records: StepRecord[], more = {}) =>
      answerOf(handler(request(history({}, records), runHeaders(more), url)));
  };

  it("invoke each other", async () => {
    const child = createWorkflow((context: WorkflowContext<{ b: number }>) => context.requestPayload.b);
    const bring = many(
      (context) =>
        context.invoke("i1", {
          workflow: child,
          body: { b: 1 },
          workflowRunId: "kid",
          label: "l",
          retries: 1,
          failureRetries: 5,
          failureRetryDelay: "2000",
          timeout: "1h",
          headers: { "X-User": "u" },
        }),
      child,
    );
    await bring([], { "Upstash-Workflow-Invoke-Count": "1" });
    const [item] = recorder().published;
    expect(item).toMatchObject({
      destination: "https://app.example.com/api/child?x=1",
      headers: {
        "upstash-workflow-invoke": "true",
        "upstash-workflow-init": "true",
        "upstash-workflow-runid": "wfr_kid",
        "upstash-label": "l",
        "upstash-retries": "1",
        "upstash-failure-callback-retries": "5",
        "upstash-failure-callback-retry-delay": "2000",
        "perdure-run-timeout": "1h",
        "upstash-forward-x-user": "u",
        "upstash-forward-upstash-workflow-invoke-count": "2",
        "upstash-failure-callback": "https://app.example.com/api/child?x=1",
      },
    });
    expect(JSON.parse(item?.body ?? "")).toMatchObject({
      body: '{"b":1}',
      workflowRunId: RUN,
      workflowRunCreatedAt: 1_700_000_000_000,
      workflowUrl: "https://app.example.com/api/parent?x=1",
      headers: { "Upstash-Workflow-RunId": [RUN], "Upstash-Workflow-Init": ["false"] },
      step: { stepId: 1, stepName: "i1", stepType: "Invoke", concurrent: 1 },
    });
  });

  it.each([
    [
      "returned",
      { body: '{"c":1}', isFailed: false, isCanceled: false },
      { body: { c: 1 }, isFailed: false, isCanceled: false },
    ],
    [
      "returned nothing",
      { body: "", isFailed: false, isCanceled: false },
      { isFailed: false, isCanceled: false },
    ],
    ["says no more", { body: "1" }, { body: 1, isFailed: false, isCanceled: false }],
    ["failed", { isFailed: true, isCanceled: false }, { isFailed: true, isCanceled: false }],
    ["was cancelled", { isFailed: false, isCanceled: true }, { isFailed: false, isCanceled: true }],
  ])("learn that a child %s", async (_name, out, expected) => {
    const child = createWorkflow(() => 1);
    const bring = many((context) => context.invoke("i1", { workflow: child, body: undefined }), child);
    await bring([recorded("i1", "Invoke", { out: JSON.stringify(out) })]);
    expect(JSON.parse(recorder().returned[0] ?? "")).toEqual(expected);
  });

  it("are called without waiting", async () => {
    const child = createWorkflow(() => 1);
    const bring = many((context) => context.call("c", { workflow: child, body: { a: 1 } }), child);
    await bring([]);
    expect(recorder().published[0]).toMatchObject({
      destination: "https://app.example.com/api/child?x=1",
      body: '{"a":1}',
      headers: { "upstash-method": "POST", "upstash-workflow-calltype": "toCallback" },
    });
  });

  it("can't invoke one that is served elsewhere", async () => {
    const stranger = createWorkflow(() => 1);
    const bring = many(
      (context) => context.invoke("i1", { workflow: stranger, body: 1 }),
      createWorkflow(() => 1),
    );
    expect((await bring([])).body.message).toContain("serveMany");
    const alone = open(recorder(), (context) => context.invoke("i1", { workflow: stranger, body: 1 }));
    expect((await deliver(alone, [])).body.message).toContain("serveMany");
  });

  it("are found by the last segment of the URL, and nowhere else", async () => {
    const env = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" };
    const { handler } = serveMany({ "a b": createWorkflow(() => 1) }, { env, verify: "off" });
    expect((await handler(request("{}", {}, "https://app.example.com/x/a%20b?y=/z"))).status).toBe(200);
    for (const path of ["/x/b", "/x/", "/", "/a%20b/x", "/%zz"]) {
      const response = await handler(request("{}", {}, `https://app.example.com${path}`));
      expect(response.status).toBe(404);
      expect(response.headers.get("Upstash-Workflow-Sdk-Version")).toBe("1");
    }
  });

  it.each(["", "a/b", "a?b", "a#b"])("can't have the key %j", (key) => {
    expect(() => serveMany({ [key]: createWorkflow(() => 1) })).toThrow(TypeError);
  });

  it.each([async () => 1, { routeFunction: async () => 1, options: {} }, undefined])(
    "have to be made by createWorkflow",
    (workflow) => expect(() => serveMany({ mine: workflow as never })).toThrow(/"mine".*createWorkflow/),
  );

  it("have options of their own, which win over the shared ones", async () => {
    const seen: string[] = [];
    const authorize = (who: string) => () => seen.push(who) > 0;
    const env = { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" };
    const { handler } = serveMany(
      { own: createWorkflow(() => 1, { authorize: authorize("own") }), none: createWorkflow(() => 1) },
      { env, authorize: authorize("shared") },
    );
    for (const key of ["own", "none"]) await handler(request("{}", {}, `https://app.example.com/${key}`));
    expect(seen).toEqual(["own", "shared"]);
  });
});

describe("cancel", () => {
  it.each<[string, (context: WorkflowContext) => unknown]>([
    ["between steps", (context) => context.cancel()],
    ["inside of a step", (context) => context.run("one", () => context.cancel())],
    ["where nobody awaits it", (context) => context.run("one", () => void context.cancel())],
  ])("%s ends the run, and nothing else happens", async (_name, workflow) => {
    const handler = open(recorder(), async (context) => {
      await workflow(context);
      expect.unreachable();
    });
    expect(await deliver(handler, [])).toMatchObject({ status: 200, body: { finishCondition: "success" } });
    expect(recorder().finished).toMatchObject([{ path: `/v2/workflows/runs/${RUN}?cancel=true`, body: "" }]);
    expect(recorder().published).toEqual([]);
  });
});

// Groups of plans are there only with one step a delivery.
describe.skipIf(MODE === "inline")("kinds of step in a group", () => {
  it("are planned with what their records carry, and asked for one by one", async () => {
    const workflow = (context: WorkflowContext) =>
      Promise.all([
        context.call("c", { url: "https://a.example/" }),
        context.waitForEvent("w", "e", { timeout: 5 }),
        context.notify("n", "e"),
        context.sleepUntil("u", 1_900_000_000),
      ]);
    const handler = open(recorder(), workflow);
    await deliver(handler, []);
    const plans = recorder().records;
    expect(plans).toEqual([
      { stepId: 0, stepName: "c", stepType: "Call", concurrent: 4, targetStep: 1 },
      {
        stepId: 0,
        stepName: "w",
        stepType: "Wait",
        waitEventId: "e",
        timeout: "5s",
        concurrent: 4,
        targetStep: 2,
      },
      { stepId: 0, stepName: "n", stepType: "Notify", concurrent: 4, targetStep: 3 },
      {
        stepId: 0,
        stepName: "u",
        stepType: "SleepUntil",
        sleepUntil: 1_900_000_000,
        concurrent: 4,
        targetStep: 4,
      },
    ]);
    recorder().reset();
    await deliver(handler, plans.slice(0, 1));
    expect(recorder().published[0]?.headers).toMatchObject({
      "upstash-callback-forward-upstash-workflow-stepid": "1",
      "upstash-callback-forward-upstash-workflow-concurrent": "4",
    });
    await deliver(handler, plans.slice(0, 2));
    const wait = recorder().requests.find(({ path }) => path.startsWith("/v2/wait"));
    expect(JSON.parse(wait?.body ?? "").step).toMatchObject({ stepId: 2, concurrent: 4 });
    recorder().answer = ({ path }) => (path.startsWith("/v2/notify") ? { body: [] } : undefined);
    await deliver(handler, plans.slice(0, 3));
    expect(recorder().records.at(-1)).toMatchObject({ stepId: 3, stepType: "Notify", concurrent: 4 });
    await deliver(handler, plans);
    expect(recorder().records.at(-1)).toEqual({
      stepId: 4,
      stepName: "u",
      stepType: "SleepUntil",
      sleepUntil: 1_900_000_000,
      concurrent: 4,
    });
    expect(recorder().published.at(-1)?.headers["upstash-not-before"]).toBeUndefined();
  });
});
