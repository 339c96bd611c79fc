import { join } from "node:path";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { EngineProcess, temporaryFolder } from "@perdure/test-support/process";
import type { WorkflowRunLog } from "@upstash/workflow";
import { Client } from "upstash-workflow-0.2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Endpoint } from "./support/endpoint.ts";
import {
  type OlderContext,
  type OlderFailure,
  type OlderSdk,
  ofQstash,
  olderSdks,
} from "./support/older-sdks.ts";
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

/** Publishes a payload to the workflow, and waits until the run that its endpoint has made of it has ended. */
async function publish(
  url: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<WorkflowRunLog> {
  await ask(engine.url, `/v2/publish/${url}`, { method: "POST", body, headers });
  for (;;) {
    const { runs } = await officialClient(engine.url).logs({ filter: { workflowUrl: url } });
    const [run] = runs;
    if (run) return ended(engine.url, run.workflowRunId);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe.each([ofQstash, ...olderSdks])("a workflow served by $name", (sdk) => {
  const at = (workflow: (context: OlderContext) => Promise<unknown>, options = {}): string =>
    app.at(`/old-${++serial}`, sdk.serve(engine.url, workflow, options));

  it("runs its steps in sequence, with results of any kind", async () => {
    const seen: unknown[] = [];
    const url = at(async (context) => {
      seen.length = 0;
      seen.push(context.requestPayload);
      seen.push(await context.run("object", () => ({ a: [1, "x"] })));
      await context.sleep("nap", 1);
      await context.sleepUntil("past", 1);
      for (const [index, value] of [7, "text", true, null, [], undefined].entries())
        seen.push(await context.run(`value ${index}`, () => value));
    });
    const run = await publish(url, '{"a":1}');
    expect(run.workflowState).toBe("RUN_SUCCESS");
    expect(seen).toEqual([{ a: 1 }, { a: [1, "x"] }, 7, "text", true, null, [], undefined]);
    expect(run.steps.map(({ steps }) => steps[0]?.stepName).slice(0, 3)).toEqual(["init", "object", "nap"]);
  });

  it("runs a group in parallel", async () => {
    let seen: unknown;
    const url = at(async (context) => {
      seen = await Promise.all([
        context.run("a", () => ({ a: 1 })),
        context.sleep("nap", 1),
        context.run("b", () => "b"),
      ]);
    });
    expect((await publish(url, "{}")).workflowState).toBe("RUN_SUCCESS");
    expect((seen as unknown[]).filter((value) => value !== undefined)).toEqual([{ a: 1 }, "b"]);
  });

  it("has a third party called", async () => {
    const third = app.at(`/third-${++serial}`, async (request) =>
      Response.json({ heard: await request.json() }),
    );
    let answer: unknown;
    const url = at(async (context) => {
      answer = await sdk.call(context as never, "ask", third, { question: 1 });
      await context.run("after", () => 1);
    });
    expect((await publish(url, "{}")).workflowState).toBe("RUN_SUCCESS");
    expect(answer).toEqual({ heard: { question: 1 } });
  });

  it("has its failure function called with the payload", async () => {
    const failures: OlderFailure[] = [];
    const url = at((context) => context.run("charge", decline), {
      failed: (failure: OlderFailure) => void failures.push(failure),
      options: { retries: 0 },
    });
    const run = await publish(url, '{"order":1}');
    expect(run).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_SUCCESS" },
    });
    expect(failures).toEqual([{ payload: { order: 1 }, status: 500, response: "declined" }]);
  });
});

describe.each(olderSdks)("a workflow served by $name", (sdk) => {
  it("waits for an event, and tells of one", async () => {
    const eventId = `event-${++serial}`;
    const seen: unknown[] = [];
    const waiting = app.at(
      `/old-${serial}`,
      sdk.serve(engine.url, async (context) => {
        const { eventData, timeout } = await context.waitForEvent("wait", eventId, sdk.waiting("1m"));
        const late = await context.waitForEvent("late", `${eventId}-late`, sdk.waiting("1s"));
        seen.push(eventData, timeout, late.timeout);
      }),
    );
    const told: unknown[] = [];
    const telling = app.at(
      `/tell-${serial}`,
      sdk.serve(engine.url, async (context) => {
        const { notifyResponse } = await context.notify("tell", eventId, { paid: 1 });
        told.push(notifyResponse.length);
      }),
    );
    const run = publish(waiting, "{}");
    while ((await officialClient(engine.url).getWaiters({ eventId })).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await publish(telling, "{}")).workflowState).toBe("RUN_SUCCESS");
    expect((await run).workflowState).toBe("RUN_SUCCESS");
    expect(seen).toEqual([{ paid: 1 }, false, true]);
    expect(told).toEqual([1]);
  });

  it("has its failure function called with the payload after other steps, too", async () => {
    const failures: OlderFailure[] = [];
    const url = app.at(
      `/old-${++serial}`,
      sdk.serve(
        engine.url,
        async (context) => {
          await context.run("fine", () => ({ ok: true }));
          await context.run("charge", decline);
        },
        { failed: (failure) => void failures.push(failure), options: { retries: 0 } },
      ),
    );
    expect((await publish(url, '{"order":1}')).workflowState).toBe("RUN_FAILED");
    expect(failures).toEqual([{ payload: { order: 1 }, status: 500, response: "declined" }]);
  });
});

describe("the client of @upstash/workflow 0.2.16", () => {
  const [, sdk] = olderSdks as [OlderSdk, OlderSdk];

  it("triggers a run", async () => {
    const path = `/old-${++serial}`;
    const url = app.at(
      path,
      sdk.serve(engine.url, (context) => context.run("one", () => context.requestPayload)),
    );
    const { workflowRunId } = await new Client({ baseUrl: engine.url, token: DEV_CREDENTIALS.token }).trigger(
      {
        url,
        body: { a: 1 },
        headers: { "X-User": "u" },
      },
    );
    expect(await ended(engine.url, workflowRunId)).toMatchObject({ workflowState: "RUN_SUCCESS" });
    const visits = app.visits.filter((visit) => visit.path === path);
    expect(visits.map(({ headers }) => headers.get("X-User"))).toEqual(["u", "u"]);
  });

  it("has a failure reported where the endpoint says with each of its steps", async () => {
    const alarms: string[] = [];
    const failureUrl = app.at(`/alarm-${++serial}`, async (request) => {
      alarms.push(((await request.json()) as { workflowRunId: string }).workflowRunId);
      return new Response();
    });
    const url = app.at(
      `/old-${serial}`,
      sdk.serve(
        engine.url,
        async (context) => {
          await context.run("fine", () => 1);
          await context.run("charge", decline);
        },
        { options: { retries: 0, failureUrl } },
      ),
    );
    const { workflowRunId } = await new Client({ baseUrl: engine.url, token: DEV_CREDENTIALS.token }).trigger(
      {
        url,
        retries: 0,
      },
    );
    expect((await ended(engine.url, workflowRunId)).workflowState).toBe("RUN_FAILED");
    expect(alarms).toEqual([workflowRunId]);
  });
});

function decline(): Promise<never> {
  return Promise.reject(new RangeError("declined"));
}
