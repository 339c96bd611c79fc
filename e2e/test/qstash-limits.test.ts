import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import type { EngineOptions } from "@perdure/engine";
import { Client, QstashDailyRatelimitError, QstashError, QstashRatelimitError } from "@upstash/qstash";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClockedEngine } from "./support/clocked.ts";
import { Endpoint } from "./support/endpoint.ts";

const SECOND = 1000;
const DAY = 86_400 * SECOND;
let engine: ClockedEngine;
let app: Endpoint;
let client: Client;
let url: string;
beforeEach(async () => {
  app = await Endpoint.start();
  url = app.at("/x", () => new Response());
});
afterEach(async () => {
  await app.stop();
  await engine.stop();
});

async function limit(limits: EngineOptions["limits"]): Promise<void> {
  engine = await ClockedEngine.start(limits);
  client = new Client({ baseUrl: engine.url, token: DEV_CREDENTIALS.token, devMode: false });
}

/** What the client throws for a request. */
const thrown = (request: Promise<unknown>): Promise<unknown> =>
  request.then(
    () => undefined,
    (error: unknown) => error,
  );

const group = (name: string, count: number) =>
  client.urlGroups.addEndpoints({
    name,
    endpoints: Array.from({ length: count }, (_, at) => ({ url: `${url}?${at}` })),
  });

/** What is above a limit, and what just isn't. */
const QUOTAS: [string, EngineOptions["limits"], (over: boolean) => Promise<unknown>, RegExp][] = [
  [
    "size",
    { messageBytes: 5 },
    (over) => client.publish({ url, body: over ? "123456" : "12345" }),
    /6 bytes/,
  ],
  [
    "retries",
    { retries: 5 },
    (over) => client.publish({ url, retries: over ? 6 : 5 }),
    /Upstash-Retries must be at most 5; got 6/,
  ],
  [
    "retries of a report",
    { retries: 5 },
    (over) =>
      client.publish({
        url,
        headers: { "Upstash-Callback": url, "Upstash-Callback-Retries": over ? "6" : "5" },
      }),
    /Upstash-Callback-Retries must be at most 5; got 6/,
  ],
  [
    "delay",
    { delay: 60_000 },
    (over) => client.publish({ url, delay: over ? 61 : 60 }),
    /Upstash-Delay must be at most 60 s; got 61 s/,
  ],
  [
    "not before",
    { delay: 60_000 },
    (over) => client.publish({ url, notBefore: Math.floor(engine.clock.now() / SECOND) + (over ? 90 : 30) }),
    /Upstash-Not-Before must be at most 60 s/,
  ],
  [
    "delay of a schedule's messages",
    { delay: 60_000 },
    (over) => client.schedules.create({ destination: url, cron: "* * * * *", delay: over ? 61 : 60 }),
    /Upstash-Delay must be at most 60 s; got 61 s/,
  ],
  [
    "queues",
    { queues: 1 },
    (over) => client.queue({ queueName: over ? "b" : "a" }).upsert({}),
    /queue limit reached \(1\)/,
  ],
  [
    "queues that messages make",
    { queues: 1 },
    (over) => client.queue({ queueName: over ? "b" : "a" }).enqueue({ url }),
    /queue limit reached \(1\)/,
  ],
  [
    "parallelism of a queue",
    { queueParallelism: 2 },
    (over) => client.queue({ queueName: "a" }).upsert({ parallelism: over ? 3 : 2 }),
    /parallelism must be at most 2; got 3/,
  ],
  [
    "schedules",
    { schedules: 1 },
    (over) => client.schedules.create({ destination: url, cron: "* * * * *", scheduleId: over ? "b" : "a" }),
    /schedule limit reached \(1\)/,
  ],
  [
    "endpoints of a URL group",
    { endpoints: 2 },
    (over) => group("g", over ? 3 : 2),
    /at most 2 endpoints; got 3/,
  ],
  ["URL groups", { urlGroups: 1 }, (over) => group(over ? "b" : "a", 1), /url group limit reached \(1\)/],
];

describe("a quota, by the official client", () => {
  it.each(QUOTAS)(
    "of %s is told with 412, and what is within it is taken",
    async (_, limits, request, text) => {
      await limit(limits);
      expect(await thrown(request(false))).toBeUndefined();
      const error = await thrown(request(true));
      expect(error).toBeInstanceOf(QstashError);
      expect(error).toMatchObject({ status: 412, message: expect.stringMatching(text) });
      expect(JSON.parse((error as QstashError).message)).toEqual({ error: expect.stringMatching(text) });
      // Again within it: what was refused hasn't counted.
      expect(await thrown(request(false))).toBeUndefined();
    },
  );

  it("refuses of a batch only what is above it", async () => {
    await limit({ retries: 5, messageBytes: 5 });
    const answers = await client.batch([
      { url, retries: 6 },
      { url, body: "123456" },
      { url, body: "12345", retries: 5 },
    ]);
    expect(answers).toEqual([
      { error: expect.stringContaining("Upstash-Retries must be at most 5; got 6") },
      { error: expect.stringContaining("6 bytes") },
      { messageId: expect.any(String), url },
    ]);
  });

  it("of an attempt's time isn't refused: it is what the attempt gets", async () => {
    await limit({ timeout: 5 * SECOND });
    const slow = app.at("/slow", () => new Promise(() => {}));
    await client.publish({ url: slow, timeout: "1h", retries: 0 });
    while (app.visits.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    engine.clock.advance(5 * SECOND);
    await engine.idle();
    const { messages } = await client.dlq.listMessages();
    expect(messages).toMatchObject([{ url: slow, responseStatus: 0 }]);
  });
});

describe("a rate limit, by the official client", () => {
  it("of a second is told as such, spares what publishes, and is over with the second", async () => {
    await limit({ requestsPerSecond: 2, requestsPerDay: 1000 });
    const now = engine.clock.now();
    const next = Math.floor(now / SECOND) + 1;
    for (let at = 0; at < 2; at++) await client.dlq.listMessages();
    const error = await thrown(client.dlq.listMessages());
    expect(error).toBeInstanceOf(QstashRatelimitError);
    expect(error).toMatchObject({ status: 429, limit: "2", remaining: "0", reset: String(next) });
    await client.publish({ url });
    await client.batch([{ url }]);
    await client.queue({ queueName: "q" }).enqueue({ url });
    engine.clock.advance(next * SECOND - now);
    expect(await client.dlq.listMessages()).toEqual({ messages: [] });
  });

  it("of a day is told as such, and is over with the day", async () => {
    await limit({ requestsPerDay: 2, requestsPerSecond: 1000 });
    const now = engine.clock.now();
    const next = (Math.floor(now / DAY) + 1) * DAY;
    await client.publish({ url });
    await client.dlq.listMessages();
    for (const request of [client.publish({ url }), client.dlq.listMessages()]) {
      const error = await thrown(request);
      expect(error).toBeInstanceOf(QstashDailyRatelimitError);
      expect(error).toMatchObject({ status: 429, limit: "2", remaining: "0", reset: String(next / SECOND) });
    }
    // A delivery in progress would be over with its day.
    await engine.idle();
    engine.clock.advance(next - now);
    await client.publish({ url });
    await engine.idle();
    expect(app.visits).toHaveLength(2);
  });
});
