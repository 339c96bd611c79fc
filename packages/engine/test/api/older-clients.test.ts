import { FEATURES, HEADER, type StepRecord } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  APP,
  decode,
  type Endpoint,
  failed,
  historyOf,
  isFailure,
  ofRun,
  ok,
  result,
  runIdOf,
  type World,
  world,
} from "../harness.ts";
import { callStep, isAnswer, THIRD, workflow } from "../steps.ts";

/** The headers of a client that names no features, as everything before `@upstash/workflow` 0.2.0 does. */
function withoutFeatures(runId: string, init: "true" | "false"): Record<string, string> {
  const { [HEADER.featureSet]: _, [HEADER.sdkVersion]: __, ...headers } = ofRun(runId, init);
  return headers;
}

function start(w: World, features?: string, more: Record<string, string> = {}): Promise<unknown> {
  const headers = { ...withoutFeatures("wfr_1", "true"), ...more };
  if (features !== undefined) headers[HEADER.featureSet] = features;
  return w.ask("POST", `/v2/publish/${APP}`, { headers, body: '{"order":1}' });
}

function append(w: World, record: object, more: Record<string, string> = {}): Promise<{ status: number }> {
  const headers = { ...withoutFeatures("wfr_1", "false"), ...more };
  return w.ask("POST", `/v2/publish/${APP}`, { headers, body: JSON.stringify(record) });
}

/** Answers without the name of an SDK. */
const nameless = (status = 200, body = ""): Response => new Response(body, { status });

const oneStep =
  (record: object): Endpoint =>
  async (call, self) => {
    if (historyOf(call).length === 1) await append(self, record);
    else await self.end(runIdOf(call));
    return nameless();
  };

describe("an endpoint that doesn't name its SDK", () => {
  it.each([undefined, "LazyFetch,InitialBody"])(
    "is a workflow's, of a client with features %s",
    async (features) => {
      const w = world(oneStep(result(1)));
      await start(w, features);
      await w.engine.idle();
      expect(await w.run("wfr_1")).toMatchObject({ workflowState: "RUN_SUCCESS" });
    },
  );

  it("is none, of a client that says that it would", async () => {
    const w = world(async (call, self) => {
      if (historyOf(call).length === 1) await append(self, result(1));
      return nameless();
    });
    await start(w, FEATURES, { [HEADER.retries]: "0" });
    await w.engine.idle();
    expect(await w.run("wfr_1")).toMatchObject({ workflowState: "RUN_FAILED" });
  });

  it("has stalled if it does nothing", async () => {
    const w = world((call) => (isFailure(call) ? ok("{}") : nameless()));
    await start(w, undefined, { [HEADER.failureCallback]: APP });
    await w.engine.idle();
    const { failureFunction } = await w.run("wfr_1");
    expect(failureFunction.failResponse).toContain("stalled");
  });

  it("is none when a client of the REST trigger has named it", async () => {
    const w = world((call) => (isFailure(call) ? ok("{}") : nameless()));
    const { body } = await w.ask("POST", `/v2/trigger/${APP}`);
    await w.engine.idle();
    expect((await w.run(body.workflowRunId)).failureFunction.failResponse).toContain("non-workflow");
  });
});

describe("the report of a failure", () => {
  const reports = async (features: string | undefined): Promise<string> => {
    let source = "";
    const w = world(async (call, self) => {
      if (isFailure(call)) {
        source = decode(JSON.parse(call.text).sourceBody);
        return ok("{}");
      }
      if (historyOf(call).length > 1) return failed(500, "declined");
      await append(self, result(1));
      return nameless();
    });
    await start(w, features, { [HEADER.retries]: "0", [HEADER.failureCallback]: APP });
    await w.engine.idle();
    return source;
  };

  it("carries the history for a client without the feature InitialBody", async () => {
    const history = JSON.parse(await reports(undefined));
    expect(history.map(({ body }: { body: string }) => JSON.parse(decode(body)))).toEqual([
      { order: 1 },
      result(1),
    ]);
  });

  it("carries the payload for one with it", async () => {
    expect(await reports("LazyFetch,InitialBody")).toBe('{"order":1}');
  });

  it.each([
    ["nothing about it", {}],
    ["options for it, but no URL", { "Upstash-Failure-Callback-Retries": "0" }],
  ])("isn't made for a client without features that says %s", async (_what, more) => {
    const w = world(() => failed(500, "declined"));
    await start(w, undefined, { [HEADER.retries]: "0", ...more });
    await w.engine.idle();
    expect(w.calls.map(({ url }) => url)).toEqual([APP]);
    const run = await w.run("wfr_1");
    expect(run).toMatchObject({ workflowState: "RUN_FAILED", dlqId: expect.any(String) });
    expect(run.failureFunction).toBeUndefined();
    const [dead] = await w.deadLetters();
    expect(dead).toMatchObject({ workflowRunId: "wfr_1", responseStatus: 500 });
  });

  it("goes where the step that failed says", async () => {
    const w = world(async (call, self) => {
      if (call.url !== APP || isFailure(call)) return ok("{}");
      if (historyOf(call).length > 1) return failed(500, "declined");
      await append(self, result(1), {
        [HEADER.failureCallback]: "https://app.test/alarm",
        [HEADER.retries]: "0",
      });
      return nameless();
    });
    await start(w);
    await w.engine.idle();
    expect(w.calls.map(({ url }) => url)).toEqual([APP, APP, "https://app.test/alarm"]);
    const [dead] = await w.deadLetters();
    expect(dead.failureCallback).toBe("https://app.test/alarm");
    // Taken up again, it fails to the same place.
    await w.ask("POST", `/v2/workflows/dlq/resume/${dead.dlqId}`);
    await w.engine.idle();
    expect(w.calls.at(-1)?.url).toBe("https://app.test/alarm");
  });
});

describe("a record", () => {
  it.each([
    ["an object", { a: [1] }, '{"a":[1]}'],
    ["a number", 7, "7"],
    ["false", false, "false"],
    ["null", null, "null"],
    ["an empty list", [], "[]"],
    ["a string", "text", "text"],
  ])("may have %s as its result, and is delivered as it came", async (_, out, shown) => {
    const record = { ...result(1), out };
    const w = world(oneStep(record));
    await start(w);
    await w.engine.idle();
    const run = await w.run("wfr_1");
    expect(run.workflowState).toBe("RUN_SUCCESS");
    expect(run.steps[1].steps[0].out).toBe(shown);
    const [, delivered] = historyOf(w.calls[1] as World["calls"][0]);
    expect(JSON.parse(decode(delivered?.body ?? ""))).toEqual(record);
  });

  it("may have null for every field that it doesn't have, as Python's do", async () => {
    const nothing = { sleepFor: null, sleepUntil: null, targetStep: null, callUrl: null, callHeaders: null };
    const python = {
      method: "POST",
      ...result(1),
      ...nothing,
      failure: null,
      rollback: null,
      waitEventId: null,
    };
    const w = world(oneStep(python));
    await start(w);
    await w.engine.idle();
    const { workflowState, steps } = await w.run("wfr_1");
    expect(workflowState).toBe("RUN_SUCCESS");
    expect(steps[1].steps[0]).not.toHaveProperty("sleepFor");
  });

  it("of a webhook may have it as an object", async () => {
    const w = world(() => nameless());
    await start(w, undefined, { [HEADER.delay]: "1d" });
    const hook = "/v2/workflows/hooks/defaultUser/wfr_1/hook";
    expect((await w.ask("POST", hook, { token: null })).status).toBe(404);
    const out = { eventId: "hook", webhookUrl: "x" };
    await append(w, { ...result(1, { stepType: "CreateWebhook" }), out }, { [HEADER.delay]: "1d" });
    expect((await w.ask("POST", hook, { token: null })).status).toBe(200);
  });

  it.each([
    [
      "a plan without a target",
      { stepId: 0, stepName: "a", stepType: "Run", concurrent: 2, targetStep: null },
    ],
    ["no name", { stepId: 1, stepName: null, stepType: "Run", concurrent: 1 }],
  ])("that is %s is refused all the same", async (_, record) => {
    const w = world(() => nameless());
    await start(w, undefined, { [HEADER.delay]: "1d" });
    expect((await append(w, record)).status).toBe(400);
  });
});

describe("options of a report without its URL", () => {
  const options = {
    "Upstash-Callback-Retries": "1",
    "Upstash-Callback-Forward-X-User": "u",
    "Upstash-Failure-Callback-Retries": "2",
    "Upstash-Failure-Callback-Workflow-Calltype": "failureCall",
    "Upstash-Callback-Failure-Callback-Retries": "2",
    "Upstash-Callback-Failure-Callback-Forward-Upstash-Workflow-Is-Failure": "true",
    "Upstash-Callback-Failure-Callback-Workflow-Runid": "wfr_1",
    "Upstash-Callback-Failure-Callback-Workflow-Calltype": "failureCall",
    "Upstash-Failure-Callback-Callback-Retries": "0",
  };

  it("have no effect on a call, as Python's client sends it", async () => {
    const answers: StepRecord[] = [];
    const run = workflow(callStep({ options }));
    const w = world((call, self) => {
      if (call.url === THIRD) return new Response("pong");
      if (isAnswer(call)) answers.push(result(1));
      return run(call, self);
    });
    await start(w);
    await w.engine.idle();
    expect(answers).toHaveLength(1);
    expect(await w.run("wfr_1")).toMatchObject({ workflowState: "RUN_SUCCESS" });
  });

  it.each([
    ["publish", `/v2/publish/${THIRD}`],
    ["enqueue", `/v2/enqueue/q/${THIRD}`],
    ["schedule", `/v2/schedules/${THIRD}`],
  ])("have no effect on what is given to %s", async (what, path) => {
    const w = world(() => new Response("no", { status: 500 }));
    const headers = {
      ...options,
      [HEADER.retries]: "0",
      ...(what === "schedule" ? { [HEADER.cron]: "0 0 1 1 *" } : {}),
    };
    expect(await w.ask("POST", path, { headers, body: "{}" })).toMatchObject({ status: 200 });
    await w.engine.idle();
    expect(w.calls.filter(({ url }) => url !== THIRD)).toEqual([]);
  });

  it("have no effect on what is in a batch, nor on reports that have one", async () => {
    const w = world(() => new Response("no", { status: 500 }));
    const callback = { [HEADER.callback]: "https://app.test/told", [HEADER.retries]: "0" };
    const item = {
      destination: THIRD,
      headers: { ...options, ...callback, "Upstash-Callback-Retries": "0" },
    };
    const { body } = await w.ask("POST", "/v2/batch", { body: JSON.stringify([item]) });
    expect(body).toMatchObject([{ messageId: expect.any(String) }]);
    await w.engine.idle();
    expect(w.calls.map(({ url }) => url)).toEqual([THIRD, "https://app.test/told"]);
  });

  it("have no effect on a message of the dead letter queue that is sent again", async () => {
    const w = world(() => new Response("no", { status: 500 }));
    await w.ask("POST", `/v2/publish/${THIRD}`, { headers: { [HEADER.retries]: "0" } });
    await w.engine.idle();
    const [dead] = await w.deadLetters();
    expect((await w.ask("POST", `/v2/dlq/retry/${dead.dlqId}`, { headers: options })).status).toBe(201);
  });
});
