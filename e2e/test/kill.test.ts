import { join } from "node:path";
import { serve, WorkflowNonRetryableError } from "@perdure/core";
import { MODE_OPTIONS } from "@perdure/test-support/mode";
import { EngineProcess, environment, steadyPort, temporaryFolder } from "@perdure/test-support/process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";
import { seeded } from "./support/seed.ts";
import { ask, ended, officialClient } from "./support/views.ts";

let folder: ReturnType<typeof temporaryFolder>;
let engine: EngineProcess;
let app: Endpoint;
beforeEach(async () => {
  folder = temporaryFolder();
  engine = await EngineProcess.start(join(folder.path, "engine.db"), await steadyPort());
  app = await Endpoint.start();
});
afterEach(async () => {
  await engine.process.kill("SIGKILL");
  await app.stop();
  folder.remove();
});

/** Kills the engine as a power cut would, and starts it again on what it has stored. */
async function killAndRestart(): Promise<void> {
  const { port } = engine;
  await engine.process.kill("SIGKILL");
  engine = await EngineProcess.start(join(folder.path, "engine.db"), port);
}

describe("an engine that is killed", () => {
  it("between a delivery and its result delivers the same message again", async () => {
    let attempts = 0;
    const workflow = serve(
      async (context) => {
        await context.run("before", () => 1);
        return context.run("charge", async () => {
          if (++attempts > 1) return attempts;
          await killAndRestart();
          // An endpoint that ends within a second of the restart isn't asked again.
          return new Promise<number>(() => {});
        });
      },
      { env: environment(engine.url), ...MODE_OPTIONS },
    );
    const url = app.at("/wf", workflow.handler);
    const { workflowRunId } = await officialClient(engine.url).trigger({ url, retries: 0 });
    const run = await ended(engine.url, workflowRunId);
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS" });
    expect(run.steps.flatMap(({ steps }) => steps.map(({ stepName }) => stepName))).toEqual([
      "init",
      "before",
      "charge",
    ]);
    const ids = app.visits.map(
      ({ headers }) => `${headers.get("Upstash-Message-Id")} ${headers.get("Upstash-Retried")}`,
    );
    // The second delivery was under way: it came again as it was, and didn't count as a retry.
    expect(ids.filter((id) => id === ids[1]).length).toBeGreaterThanOrEqual(2);
  });

  it("while the failure function runs calls it again, with the same bytes", async () => {
    const bodies: string[] = [];
    const workflow = serve(
      (context) => context.run("charge", () => Promise.reject(new WorkflowNonRetryableError("declined"))),
      {
        env: environment(engine.url),
        ...MODE_OPTIONS,
        failureFunction: async ({ failResponse }) => {
          if (bodies.length === 1) await killAndRestart();
          return failResponse;
        },
      },
    );
    const url = app.at("/wf", async (request) => {
      if (request.headers.has("Upstash-Workflow-Is-Failure")) bodies.push(await request.clone().text());
      return workflow.handler(request);
    });
    const { workflowRunId } = await officialClient(engine.url).trigger({ url, retries: 0 });
    const run = await ended(engine.url, workflowRunId);
    expect(run).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_SUCCESS" },
    });
    expect(bodies).toHaveLength(2);
    expect(bodies[0]).toBe(bodies[1]);
  });

  it("between the failure and its callback still calls the failure function", async () => {
    let killing: Promise<void> | undefined;
    let called = 0;
    const workflow = serve(
      (context) => context.run("charge", () => Promise.reject(new WorkflowNonRetryableError("declined"))),
      { env: environment(engine.url), ...MODE_OPTIONS, failureFunction: () => ++called },
    );
    const url = app.at("/wf", async (request) => {
      // The failure is stored by now. Its callback is turned away until the engine has been killed.
      if (request.headers.has("Upstash-Workflow-Is-Failure")) {
        killing ??= killAndRestart();
        await killing;
      }
      return workflow.handler(request);
    });
    const { workflowRunId } = await officialClient(engine.url).trigger({ url, retries: 0 });
    const run = await ended(engine.url, workflowRunId);
    expect(run).toMatchObject({
      workflowState: "RUN_FAILED",
      dlqId: expect.any(String),
      failureFunction: { state: "CALLBACK_SUCCESS" },
    });
    expect(called).toBeGreaterThanOrEqual(1);
    const { messages } = await ask<{ messages: object[] }>(
      engine.url,
      `/v2/dlq?workflowRunId=${workflowRunId}`,
    );
    expect(messages).toHaveLength(1);
  });

  it("again and again, at any moment, loses no run, no step and no failure", async () => {
    const runs = 40;
    const random = seeded();
    console.log(`SEED=${random.seed} repeats the moments of these kills`);
    const results = new Map<string, Set<unknown>>();
    const failures = new Map<string, number>();
    const workflow = serve<number>(
      async (context) => {
        const seen: unknown[] = [];
        for (let step = 0; step < 3; step++) {
          // A result that differs each time it is made: only a recorded one can come twice.
          seen.push(await context.run(`step ${step}`, () => Math.random()));
        }
        const [a, b] = await Promise.all([
          context.run("a", () => Math.random()),
          context.run("b", () => Math.random()),
        ]);
        for (const [at, value] of [...seen, a, b].entries()) {
          const key = `${context.workflowRunId} ${at}`;
          results.set(key, (results.get(key) ?? new Set()).add(value));
        }
        if (context.requestPayload % 2 === 1) throw new WorkflowNonRetryableError("odd");
        return seen;
      },
      {
        env: environment(engine.url),
        ...MODE_OPTIONS,
        failureFunction: ({ context }) => {
          failures.set(context.workflowRunId, (failures.get(context.workflowRunId) ?? 0) + 1);
        },
      },
    );
    const url = app.at("/wf", workflow.handler);
    const triggers = Array.from({ length: runs }, (_, at) => ({
      url,
      body: at,
      workflowRunId: `chaos-${at}`,
      retries: 20,
      retryDelay: "50",
    }));
    await officialClient(engine.url).trigger(triggers);
    for (let kill = 0; kill < 5; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 40 + random.next() * 160));
      await killAndRestart();
    }
    for (let at = 0; at < runs; at++) {
      const run = await ended(engine.url, `wfr_chaos-${at}`);
      const odd = at % 2 === 1;
      expect(run.workflowState).toBe(odd ? "RUN_FAILED" : "RUN_SUCCESS");
      expect(run.failureFunction?.state).toBe(odd ? "CALLBACK_SUCCESS" : undefined);
      expect(failures.has(run.workflowRunId)).toBe(odd);
    }
    for (const values of results.values()) expect(values.size).toBe(1);
    const { runs: all } = await ask<{ runs: object[] }>(
      engine.url,
      `/v2/workflows/logs?workflowUrl=${encodeURIComponent(url)}&count=10`,
    );
    expect(all).toHaveLength(10);
  });
});
