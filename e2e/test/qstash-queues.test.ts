import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { Client, Receiver } from "@upstash/qstash";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClockedEngine } from "./support/clocked.ts";
import { Endpoint } from "./support/endpoint.ts";

const { token, currentSigningKey, nextSigningKey } = DEV_CREDENTIALS;
const LIMITS = { queues: 3, queueParallelism: 10, schedules: 3, parallelism: 5 };
let engine: ClockedEngine;
let app: Endpoint;
let client: Client;
beforeEach(async () => {
  engine = await ClockedEngine.start(LIMITS);
  app = await Endpoint.start();
  client = new Client({ baseUrl: engine.url, token, devMode: false });
});
afterEach(async () => {
  await app.stop();
  await engine.stop();
});

/** Paths in the order in which they were visited. */
const visits = (): string[] => app.visits.map(({ path }) => path);

/** An endpoint that answers when it is told to. */
function gate(path: string): { readonly url: string; readonly open: (() => void)[] } {
  const open: (() => void)[] = [];
  const url = app.at(path, () => new Promise((resolve) => open.push(() => resolve(new Response()))));
  return { url, open };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("queues, by the official client", () => {
  it("are made, changed, listed, paused, resumed and deleted", async () => {
    const queue = client.queue({ queueName: "-my_queue.1" });
    await queue.upsert({ parallelism: 1 });
    const made = await queue.get();
    expect(made).toEqual({
      name: "-my_queue.1",
      parallelism: 1,
      paused: false,
      lag: 0,
      createdAt: expect.any(Number),
      updatedAt: expect.any(Number),
    });
    await queue.upsert({ parallelism: 2, paused: true });
    expect(await queue.get()).toMatchObject({ parallelism: 2, paused: true });
    await queue.resume();
    expect((await queue.get()).paused).toBe(false);
    await queue.pause();
    expect((await queue.get()).paused).toBe(true);
    await client.queue({ queueName: "other" }).upsert({});
    expect((await client.queue().list()).map(({ name }) => name)).toEqual(["-my_queue.1", "other"]);
    await queue.delete();
    await expect(queue.get()).rejects.toThrow(/queue -my_queue.1 not found/);
    await queue.delete();
  });

  it("deliver one by one, in order, what is enqueued in every way", async () => {
    const paths = ["/1", "/2", "/3", "/4"];
    let atOnce = 0;
    let most = 0;
    const urls = paths.map((path) =>
      app.at(path, async () => {
        most = Math.max(most, ++atOnce);
        await new Promise((resolve) => setTimeout(resolve, 5));
        atOnce--;
        return new Response();
      }),
    ) as [string, string, string, string];
    const queue = client.queue({ queueName: "q" });
    const { messageId } = await queue.enqueue({ url: urls[0], body: "one" });
    await queue.enqueueJSON({ url: urls[1], body: { two: 2 } });
    await client.batch([{ url: urls[2], queueName: "q" }]);
    await client.batchJSON([{ url: urls[3], queueName: "q", body: { four: 4 } }]);
    await engine.idle();
    expect(visits()).toEqual(paths);
    expect(most).toBe(1);
    expect(await client.messages.get(messageId)).toMatchObject({ queueName: "q" });
    expect(await queue.get()).toMatchObject({ parallelism: 1, lag: 0 });
  });

  it("have as many on their way as is allowed, and tell how many are left", async () => {
    const { url, open } = gate("/x");
    const queue = client.queue({ queueName: "q" });
    await queue.upsert({ parallelism: 2 });
    for (let at = 0; at < 5; at++) await queue.enqueue({ url });
    await until(() => open.length === 2);
    expect((await queue.get()).lag).toBe(5);
    open.shift()?.();
    await until(() => app.visits.length === 3);
    expect((await queue.get()).lag).toBe(4);
    for (let left = 4; left > 0; left--) {
      await until(() => open.length > 0);
      open.shift()?.();
    }
    await engine.idle();
    expect((await queue.get()).lag).toBe(0);
  });

  it("wait for the retries of the first, and for the report of its failure", async () => {
    const bad = app.at("/bad", () => new Response("", { status: 500 }));
    const report = app.at("/report", () => new Response());
    const good = app.at("/good", () => new Response());
    const queue = client.queue({ queueName: "q" });
    await queue.enqueue({ url: bad, retries: 1, retryDelay: "1000", failureCallback: report });
    await queue.enqueue({ url: good });
    await engine.idle();
    expect(visits()).toEqual(["/bad"]);
    engine.clock.advance(1000);
    await engine.idle();
    expect(visits()).toEqual(["/bad", "/bad", "/report", "/good"]);
  });

  it("wait for what reports an attempt, and take what is enqueued to a URL group", async () => {
    const each = app.at("/each", () => new Response());
    await client.urlGroups.addEndpoints({
      name: "group",
      endpoints: ["/1", "/2"].map((path) => ({ url: app.at(path, () => new Response()) })),
    });
    const queue = client.queue({ queueName: "q" });
    expect(await queue.enqueue({ urlGroup: "group", callback: each })).toHaveLength(2);
    await engine.idle();
    expect(visits()).toEqual(["/1", "/each", "/2", "/each"]);
  });

  it("are refused beyond their limits", async () => {
    for (const queueName of ["a", "b", "c"]) await client.queue({ queueName }).upsert({});
    const status = 412;
    await expect(client.queue({ queueName: "d" }).upsert({})).rejects.toMatchObject({ status });
    await expect(client.queue({ queueName: "a" }).upsert({ parallelism: 11 })).rejects.toMatchObject({
      status,
    });
    await client.queue({ queueName: "a" }).upsert({ parallelism: 10 });
    await expect(client.queue({ queueName: "a b" }).upsert({})).rejects.toMatchObject({ status: 400 });
  });
});

describe("schedules, by the official client", () => {
  it("are made, replaced, listed, paused, resumed and deleted", async () => {
    const destination = app.at("/tick", () => new Response());
    const { scheduleId } = await client.schedules.create({
      scheduleId: "_daily",
      destination,
      cron: "CRON_TZ=Europe/Berlin 0 9 * * * ",
      method: "PUT",
      body: "hello",
      headers: { "Test-Header": "value", "Bypass-Tunnel-Reminder": "true" },
      retries: 5,
      retryDelay: "1000 * retried",
      delay: "10s",
      timeout: 30,
      failureCallback: "https://example.com/failed",
      queueName: "q",
      flowControl: { key: "k", parallelism: 2, rate: 3, period: "1m" },
      label: "report",
    });
    expect(scheduleId).toBe("_daily");
    const made = await client.schedules.get(scheduleId);
    expect(made).toEqual({
      scheduleId: "_daily",
      cron: "CRON_TZ=Europe/Berlin 0 9 * * *",
      createdAt: expect.any(Number),
      destination,
      method: "PUT",
      header: {
        "Content-Type": ["application/json"],
        "Test-Header": ["value"],
        "Bypass-Tunnel-Reminder": ["true"],
      },
      body: "hello",
      retries: 5,
      retryDelayExpression: "1000 * retried",
      delay: 10,
      failureCallback: "https://example.com/failed",
      callerIP: expect.any(String),
      callerIp: expect.any(String),
      isPaused: false,
      queueName: "q",
      flowControlKey: "k",
      parallelism: 2,
      rate: 3,
      ratePerSecond: 3,
      period: 60,
      label: "report",
      labels: ["report"],
      nextScheduleTime: expect.any(Number),
    });
    await client.schedules.create({ scheduleId: "_daily", destination, cron: "0 0 * * *" });
    expect((await client.schedules.get("_daily")).body).toBeUndefined();
    expect((await client.schedules.list()).map((one) => one.scheduleId)).toEqual(["_daily"]);
    await client.schedules.pause({ schedule: "_daily" });
    expect(await client.schedules.get("_daily")).toMatchObject({ isPaused: true });
    await client.schedules.resume({ schedule: "_daily" });
    expect(await client.schedules.get("_daily")).toMatchObject({ isPaused: false });
    await client.schedules.delete("_daily");
    await client.schedules.delete("_daily");
    await expect(client.schedules.get("_daily")).rejects.toThrow(/schedule _daily not found/);
  });

  it("deliver at each tick, with a signature that the official receiver takes", async () => {
    const bodies: string[] = [];
    const destination = app.at("/tick", async (request) => {
      const body = await request.text();
      const receiver = new Receiver({ currentSigningKey, nextSigningKey, devMode: false });
      const signature = request.headers.get("Upstash-Signature") ?? "";
      if (await receiver.verify({ signature, body, url: destination })) bodies.push(body);
      return new Response();
    });
    const { scheduleId } = await client.schedules.create({ destination, cron: "* * * * *", body: "tick" });
    expect(scheduleId).toMatch(/^scd_/);
    for (let minute = 1; minute <= 3; minute++) {
      await engine.nextMinute();
      expect(bodies).toHaveLength(minute);
    }
    const [visit] = app.visits;
    expect(visit?.headers.get("Upstash-Schedule-Id")).toBe(scheduleId);
    const view = await client.schedules.get(scheduleId);
    expect(view).toMatchObject({ lastScheduleTime: engine.clock.now() });
    expect(Object.values(view.lastScheduleStates ?? {})).toEqual(["SUCCESS"]);
    await client.schedules.pause({ schedule: scheduleId });
    await engine.nextMinute();
    await client.schedules.resume({ schedule: scheduleId });
    expect(bodies).toHaveLength(3);
    await engine.nextMinute();
    expect(bodies).toEqual(["tick", "tick", "tick", "tick"]);
  });

  it("deliver to what a URL group has by then, and report", async () => {
    const urls = ["/1", "/2"].map((path) => app.at(path, () => new Response()));
    const callback = app.at("/each", () => new Response());
    await client.urlGroups.addEndpoints({ name: "group", endpoints: [{ url: urls[0] as string }] });
    await client.schedules.create({ destination: "group", cron: "* * * * *", callback });
    await client.urlGroups.addEndpoints({ name: "group", endpoints: [{ url: urls[1] as string }] });
    await engine.nextMinute();
    expect(visits().sort()).toEqual(["/1", "/2", "/each", "/each"]);
  });

  it("hide what is redacted", async () => {
    const { scheduleId } = await client.schedules.create({
      destination: "https://example.com",
      cron: "0 0 * * *",
      body: "secret",
      redact: { body: true, header: ["X-Key"] },
      headers: { "X-Key": "secret" },
    });
    const { body, header } = await client.schedules.get(scheduleId);
    expect(body).toMatch(/^REDACTED:/);
    expect(header?.["X-Key"]?.[0]).toMatch(/^REDACTED:/);
  });

  it("are refused for a bad expression, and beyond their limit", async () => {
    const destination = "https://example.com";
    await expect(client.schedules.create({ destination, cron: "* * * * * *" })).rejects.toThrow(
      /Upstash-Cron/,
    );
    for (let at = 0; at < 3; at++) await client.schedules.create({ destination, cron: "0 0 * * *" });
    await expect(client.schedules.create({ destination, cron: "0 0 * * *" })).rejects.toMatchObject({
      status: 412,
    });
  });
});

describe("flow control, by the official client", () => {
  it("is looked at, paused, pinned, unpinned and reset", async () => {
    const { url, open } = gate("/x");
    const publish = (parallelism: number) =>
      client.publish({ url, flowControl: { key: "k", parallelism, rate: 100, period: "1h" } });
    await publish(1);
    await publish(1);
    await until(() => open.length === 1);
    // The other one waits once the engine has looked at it, too.
    await expect
      .poll(() => client.flowControl.get("k"))
      .toMatchObject({
        flowControlKey: "k",
        waitListSize: 1,
        parallelismMax: 1,
        parallelismCount: 1,
        rateMax: 100,
        rateCount: 1,
        ratePeriod: 3600,
        isPaused: false,
        isPinnedParallelism: false,
        isPinnedRate: false,
      });
    await client.flowControl.pause("k");
    open.shift()?.();
    await engine.idle();
    expect(await client.flowControl.get("k")).toMatchObject({
      isPaused: true,
      waitListSize: 1,
      parallelismCount: 0,
    });
    await client.flowControl.pin("k", { parallelism: 3, rate: 50, period: 60 });
    await client.flowControl.resume("k");
    await publish(9);
    await until(() => open.length === 2);
    expect(await client.flowControl.get("k")).toMatchObject({
      parallelismMax: 3,
      rateMax: 50,
      rateCount: 2,
      ratePeriod: 60,
      isPinnedParallelism: true,
      isPinnedRate: true,
    });
    await client.flowControl.resetRate("k");
    expect(await client.flowControl.get("k")).toMatchObject({ rateCount: 0 });
    await client.flowControl.unpin("k", { parallelism: true, rate: false });
    await publish(9);
    expect(await client.flowControl.get("k")).toMatchObject({
      parallelismMax: 9,
      rateMax: 50,
      isPinnedParallelism: false,
      isPinnedRate: true,
    });
    await expect(client.flowControl.get("none")).rejects.toThrow(/none not found/);
  });

  it("tells the parallelism of everything together", async () => {
    const { url, open } = gate("/x");
    for (let at = 0; at < 7; at++) await client.publish({ url });
    await until(() => open.length === 5);
    expect(await client.flowControl.getGlobalParallelism()).toEqual({
      parallelismMax: 5,
      parallelismCount: 5,
    });
    // The client can get one key, but not list them.
    const listed = () => client.http.request<object[]>({ path: ["v2", "flowControl"] });
    const all = { flowControlKey: "$", waitListSize: 2, parallelismMax: 5, parallelismCount: 5 };
    expect(await listed()).toMatchObject([all]);
    expect(await client.flowControl.get("$")).toMatchObject(all);
    await expect(client.flowControl.pause("$")).rejects.toMatchObject({ status: 400 });
    const flowControl = { key: "$", parallelism: 1 };
    await expect(client.publish({ url, flowControl })).rejects.toMatchObject({ status: 400 });
    for (const one of open.splice(0)) one();
    await until(() => open.length === 2);
    expect(await listed()).toEqual([]);
  });
});
