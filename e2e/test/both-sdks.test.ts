import { join } from "node:path";
import { Client, serve, type WorkflowContext } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { EngineProcess, environment, temporaryFolder } from "@perdure/test-support/process";
import type * as official from "@upstash/workflow";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";
import { type Failure, type FailureFunction, sdks, type Workflow } from "./support/sdks.ts";
import { ask, ended, officialClient } from "./support/views.ts";

const folder = temporaryFolder();
let engine: EngineProcess;
let app: Endpoint;
beforeAll(async () => {
  engine = await EngineProcess.start(join(folder.path, "engine.db"));
  app = await Endpoint.start();
});
afterAll(async () => {
  await app.stop();
  await engine.process.kill("SIGTERM");
  folder.remove();
});

let serial = 0;

describe.each(sdks)("a workflow served by $name", (sdk) => {
  /** Serves it at a path of its own, triggers it with the official client, and waits for its end. */
  async function perform(
    workflow: Workflow,
    options: Partial<official.TriggerOptions> = {},
    failureFunction?: FailureFunction,
  ) {
    const path = `/wf-${++serial}`;
    const url = app.at(path, sdk.serve(engine.url, workflow, failureFunction));
    const trigger = { url, retries: 0, body: { a: 1 }, ...options } as official.TriggerOptions;
    const { workflowRunId } = await officialClient(engine.url).trigger(trigger);
    const run = await ended(engine.url, workflowRunId);
    return { run, url, visits: app.visits.filter((visit) => visit.path === path) };
  }

  it("runs its steps in sequence", async () => {
    const { run, visits } = await perform(
      async (context) => {
        const one = await context.run("one", () => 1);
        const two = await context.run("two", async () => one + 1);
        return { sum: one + two, payload: context.requestPayload, user: context.headers.get("X-User") };
      },
      { headers: { "X-User": "u" } },
    );
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS" });
    expect(JSON.parse(run.workflowRunResponse ?? "")).toEqual({ sum: 3, payload: { a: 1 }, user: "u" });
    expect(run.steps.map((group) => group.steps.map(({ stepName }) => stepName))).toEqual([
      ["init"],
      ["one"],
      ["two"],
    ]);
    expect(visits).toHaveLength(sdk.inline ? 1 : 3);
    expect(visits.every(({ headers }) => headers.get("X-User") === "u")).toBe(true);
  });

  it("runs a group in parallel, of mixed kinds", async () => {
    const ran: string[] = [];
    const { run, visits } = await perform(async (context) => {
      const [a, , b] = await Promise.all([
        context.run("a", () => ran.push("a") && "a"),
        context.sleep("nap", 1),
        context.run("b", () => ran.push("b") && "b"),
      ]);
      return context.run("after", () => `${a}${b}`);
    });
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: '"ab"' });
    expect(ran.sort()).toEqual(["a", "b"]);
    expect(run.steps.map(({ type, steps }) => [type, steps.length])).toEqual([
      ["sequential", 1],
      ["parallel", 3],
      ["sequential", 1],
    ]);
    // Inline, one delivery until the nap and one after it.
    expect(visits).toHaveLength(sdk.inline ? 2 : 1 + 3 + 3 + 1);
  });

  it("sleeps for a while and until a moment", async () => {
    const start = Date.now();
    const { run } = await perform(async (context) => {
      await context.sleep("for", 1);
      await context.sleepUntil("past", 1);
      return "awake";
    });
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: '"awake"' });
    expect(Date.now() - start).toBeGreaterThanOrEqual(1000);
  });

  it("is retried until it succeeds", async () => {
    let attempts = 0;
    const { run, visits } = await perform(
      (context) =>
        context.run("flaky", () => {
          if (++attempts < 3) throw new Error(`attempt ${attempts}`);
          return attempts;
        }),
      { retries: 3, retryDelay: "1 + retried" },
    );
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: "3" });
    expect(visits.map(({ headers }) => headers.get("Upstash-Retried"))).toEqual(
      sdk.inline ? ["0", "1", "2"] : ["0", "1", "2", "0"],
    );
    expect(new Set(visits.slice(0, 3).map(({ headers }) => headers.get("Upstash-Message-Id"))).size).toBe(1);
  });

  it("that asks for it is retried later", async () => {
    const times: number[] = [];
    const { run } = await perform(
      (context) =>
        context.run("busy", () => {
          if (times.push(Date.now()) < 2) throw new sdk.RetryAfter("busy", 1);
          return "done";
        }),
      { retries: 1, retryDelay: "1" },
    );
    expect(run.workflowState).toBe("RUN_SUCCESS");
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(950);
  });

  it.each([
    ["at once when it asks not to be retried", true, 1, 489],
    ["when its retries are exhausted", false, 3, 500],
  ])(
    "fails %s; then its failure function is called, and the run is in the dead letter queue",
    async (_name, final, attempts, status) => {
      const failures: Failure[] = [];
      let ran = 0;
      const { run, url } = await perform(
        async (context) => {
          await context.run("fine", () => 1);
          await context.run("charge", () => {
            ran++;
            throw final ? new sdk.NonRetryable("declined") : new RangeError("declined");
          });
        },
        { retries: 2, retryDelay: "1", headers: { "X-User": "u" } },
        (failure) => {
          failures.push(failure);
          return "released";
        },
      );
      expect(ran).toBe(attempts);
      expect(run).toMatchObject({
        workflowState: "RUN_FAILED",
        dlqId: expect.any(String),
        failureFunction: { state: "CALLBACK_SUCCESS", failStatus: status },
      });
      expect(JSON.parse(run.failureFunction?.responseBody ?? "")).toEqual({ result: "released" });
      expect(failures).toHaveLength(1);
      expect(failures[0]).toMatchObject({
        failStatus: status,
        failResponse: "declined",
        failStack: expect.stringContaining("declined"),
        context: { requestPayload: { a: 1 }, workflowRunId: run.workflowRunId },
      });
      expect(failures[0]?.context.headers.get("X-User")).toBe("u");
      const { messages } = await ask<{ messages: object[] }>(
        engine.url,
        `/v2/dlq?workflowRunId=${run.workflowRunId}`,
      );
      expect(messages).toMatchObject([
        {
          dlqId: run.dlqId,
          workflowUrl: url,
          responseStatus: status,
          failureCallbackInfo: { state: "CALLBACK_SUCCESS" },
        },
      ]);
    },
  );

  it("whose group's member fails has failed, once", async () => {
    const failures: Failure[] = [];
    const { run } = await perform(
      (context) =>
        Promise.all([
          context.run("bad", () => Promise.reject(new Error("no"))),
          context.run("good", () => 1),
        ]),
      {},
      (failure) => void failures.push(failure),
    );
    expect(run).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_SUCCESS" },
    });
    expect(failures).toHaveLength(1);
  });

  it("without a failure function fails all the same", async () => {
    const { run } = await perform((context) => context.run("bad", () => Promise.reject(new Error("no"))));
    expect(run).toMatchObject({ workflowState: "RUN_FAILED", dlqId: expect.any(String) });
    expect(run.failureFunction).toBeUndefined();
  });

  it("may be named, and isn't started twice while it lives", async () => {
    let starts = 0;
    const url = app.at(
      `/wf-${++serial}`,
      sdk.serve(engine.url, async (context) => {
        await context.sleep("nap", 1);
        await context.run("once", () => ++starts);
      }),
    );
    const client = officialClient(engine.url);
    const workflowRunId = `named-${serial}`;
    await client.trigger([
      { url, workflowRunId },
      { url, workflowRunId },
    ]);
    await client.trigger({ url, workflowRunId });
    expect((await ended(engine.url, `wfr_${workflowRunId}`)).workflowState).toBe("RUN_SUCCESS");
    expect(starts).toBe(1);
  });

  it("can be started by the engine's REST trigger", async () => {
    const url = app.at(
      `/wf-${++serial}`,
      sdk.serve(engine.url, async (context) => context.run("one", () => context.requestPayload)),
    );
    const { workflowRunId } = await ask<{ workflowRunId: string }>(engine.url, `/v2/trigger/${url}`, {
      method: "POST",
      body: '{"rest":1}',
    });
    expect(await ended(engine.url, workflowRunId)).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: '{"rest":1}',
    });
  });

  it("can be started by a published message, and then has a failure function too", async () => {
    const failures: Failure[] = [];
    const path = `/wf-${++serial}`;
    const workflow: Workflow = (context) =>
      context.run("bad", () => Promise.reject(new sdk.NonRetryable("no")));
    const url = app.at(
      path,
      sdk.serve(engine.url, workflow, (failure) => void failures.push(failure)),
    );
    await ask(engine.url, `/v2/publish/${url}`, { method: "POST", body: '{"published":1}' });
    const { runs } = await untilFailed(url);
    expect(runs[0]?.workflowState).toBe("RUN_FAILED");
    // The official SDK arms none for such a run: the engine does.
    expect(failures.map(({ context }) => context.requestPayload)).toEqual([{ published: 1 }]);
  });

  async function untilFailed(workflowUrl: string) {
    for (;;) {
      const logs = await officialClient(engine.url).logs({ filter: { workflowUrl } });
      const [run] = logs.runs;
      if (run?.workflowState === "RUN_FAILED" && run.failureFunction?.state !== "CALLBACK_INPROGRESS")
        return logs;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});

describe("a workflow of ours", () => {
  it("is started by our client", async () => {
    const url = app.at(
      "/ours",
      serve((context) => context.run("one", () => 1), { env: environment(engine.url) }).handler,
    );
    const client = new Client({ baseUrl: engine.url, token: DEV_CREDENTIALS.token });
    const { workflowRunId } = await client.trigger({ url });
    expect(await ended(engine.url, workflowRunId)).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: "1",
    });
  });

  it("is started by a plain POST where that is allowed, and refused where not", async () => {
    const env = environment(engine.url);
    const workflow = (context: WorkflowContext) => context.run("one", () => context.requestPayload);
    const closed = app.at("/closed", serve(workflow, { env }).handler);
    expect((await fetch(closed, { method: "POST", body: "{}" })).status).toBe(401);
    const open = app.at("/open", serve(workflow, { env, verify: "off" }).handler);
    const response = await fetch(open, { method: "POST", body: '{"curl":1}' });
    const { workflowRunId } = (await response.json()) as { workflowRunId: string };
    expect(await ended(engine.url, workflowRunId)).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: '{"curl":1}',
    });
  });
});
