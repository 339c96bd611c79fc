import { Client, serve, type WorkflowContext } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { environment } from "@perdure/test-support/process";
import { Client as QStashClient } from "@upstash/qstash";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClockedEngine } from "./support/clocked.ts";
import { Endpoint } from "./support/endpoint.ts";
import { type Failure, sdks } from "./support/sdks.ts";
import { officialClient } from "./support/views.ts";

const { token } = DEV_CREDENTIALS;
let engine: ClockedEngine;
let app: Endpoint;
let client: Client;
beforeEach(async () => {
  engine = await ClockedEngine.start();
  app = await Endpoint.start();
  client = new Client({ baseUrl: engine.url, token });
});
afterEach(async () => {
  await app.stop();
  await engine.stop();
});

const runs = async () => (await officialClient(engine.url).logs()).runs;

/** Works off all that there is to do in the next `seconds`. */
async function pass(seconds: number): Promise<void> {
  const end = engine.clock.now() + seconds * 1000;
  for (let next = engine.clock.next(); next !== undefined && next <= end; next = engine.clock.next()) {
    engine.clock.advanceToNext();
    await engine.idle();
  }
}

describe.each(sdks)("a workflow of $name on a schedule", ({ serve: serveBy }) => {
  it("runs at each tick, with the payload of the schedule", async () => {
    const payloads: unknown[] = [];
    const url = app.at(
      "/wf",
      serveBy(engine.url, async (context) => {
        const twice = await context.run("double", () => (context.requestPayload as { n: number }).n * 2);
        await context.run("keep", () => payloads.push(twice));
      }),
    );
    await client.schedules.create({ url, cron: "* * * * *", body: { n: 21 }, scheduleId: "s" });
    for (let minute = 0; minute < 2; minute++) await engine.nextMinute();
    expect(payloads).toEqual([42, 42]);
    expect((await runs()).map(({ workflowState }) => workflowState)).toEqual(["RUN_SUCCESS", "RUN_SUCCESS"]);
    const { lastScheduleStates } = await client.schedules.get("s");
    expect(Object.values(lastScheduleStates ?? {})).toEqual(["SUCCESS"]);
  });

  it("runs when the official client of QStash has made the schedule", async () => {
    const seen: unknown[] = [];
    const url = app.at(
      "/wf",
      serveBy(engine.url, async (context) => {
        await context.run("see", () => seen.push(context.requestPayload));
      }),
    );
    const qstash = new QStashClient({ baseUrl: engine.url, token, devMode: false });
    await qstash.schedules.create({ destination: url, cron: "* * * * *", body: '{"a":1}' });
    await engine.nextMinute();
    expect(seen).toEqual([{ a: 1 }]);
    expect((await runs()).map(({ workflowState }) => workflowState)).toEqual(["RUN_SUCCESS"]);
  });
});

describe("a workflow of ours on a schedule", () => {
  it("has the labels and retries of the schedule, and its failure function is called", async () => {
    const failures: Failure[] = [];
    let attempts = 0;
    const workflow = async (context: WorkflowContext): Promise<void> => {
      await context.run("try", () => {
        attempts++;
        throw new TypeError("broken");
      });
    };
    const url = app.at(
      "/wf",
      serve(workflow, {
        env: environment(engine.url),
        failureFunction: async (failure) => {
          failures.push(failure as unknown as Failure);
          return "noted";
        },
      }).handler,
    );
    await client.schedules.create({
      url,
      cron: "* * * * *",
      scheduleId: "s",
      body: { order: 7 },
      retries: 2,
      retryDelay: "5000",
      label: "nightly",
      headers: { "X-Tenant": "t1" },
    });
    await engine.nextMinute();
    await client.schedules.pause("s");
    await pass(30);
    expect(attempts).toBe(3);
    expect(failures).toMatchObject([
      { failStatus: 500, failResponse: "broken", context: { requestPayload: { order: 7 } } },
    ]);
    expect(failures[0]?.context.headers.get("X-Tenant")).toBe("t1");
    expect(await runs()).toMatchObject([
      { workflowState: "RUN_FAILED", label: "nightly", failureFunction: { state: "CALLBACK_SUCCESS" } },
    ]);
    expect((await client.dlq.list()).messages).toMatchObject([{ label: "nightly" }]);
  });

  it("can wait in a queue until the one before has started", async () => {
    let started = 0;
    const url = app.at(
      "/wf",
      serve(
        async (context) => {
          await context.run("count", () => ++started);
        },
        { env: environment(engine.url) },
      ).handler,
    );
    const qstash = new QStashClient({ baseUrl: engine.url, token, devMode: false });
    await qstash.schedules.create({ destination: url, cron: "* * * * *", queueName: "q", body: "{}" });
    await qstash.queue({ queueName: "q" }).pause();
    await engine.nextMinute();
    await engine.nextMinute();
    expect([started, (await qstash.queue({ queueName: "q" }).get()).lag]).toEqual([0, 2]);
    await qstash.queue({ queueName: "q" }).resume();
    await engine.idle();
    expect(started).toBe(2);
  });
});
