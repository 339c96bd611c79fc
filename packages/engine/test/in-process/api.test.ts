import { ON_POSTGRES } from "@perdure/test-support/mode";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Engine, EngineError } from "../../src/index.ts";
import { useMachine } from "../crashing.ts";
import { ok, START, type World, world } from "../harness.ts";

const URL = "https://a.test/x";
const machine = useMachine();
let w: World;
let engine: Engine;
beforeEach(() => {
  w = world(() => ok());
  engine = w.engine;
});
afterEach(() => engine.stop());

describe("engine.publish", () => {
  it("takes options in plain words, and delivers what HTTP does", async () => {
    const { messageId } = await engine.publish({
      url: URL,
      body: { to: "a@example.com" },
      headers: { "X-Order": "7" },
      method: "PUT",
      delay: 90,
      retries: 5,
      retryDelay: "1000 * retried",
      timeout: "30s",
      label: ["a", "b"],
      flowControl: { key: "k", parallelism: 2 },
      callback: { url: "https://a.test/done", retries: 1, headers: { "X-For": "7" } },
      failureCallback: "https://a.test/failed",
    });
    expect(await engine.messages.get(messageId)).toMatchObject({
      url: URL,
      method: "PUT",
      body: '{"to":"a@example.com"}',
      header: { "X-Order": ["7"], "Content-Type": ["application/json"] },
      maxRetries: 5,
      retryDelayExpression: "1000 * retried",
      notBefore: START + 90_000,
      labels: ["a", "b"],
      flowControlKey: "k",
      parallelism: 2,
      callback: "https://a.test/done",
      callbackHeader: { "X-For": ["7"] },
      failureCallback: "https://a.test/failed",
    });
    await w.drain();
    expect(w.calls.map(({ url, text }) => [url, text.slice(0, 4)])).toEqual([
      [URL, '{"to'],
      ["https://a.test/done", '{"st'],
    ]);
    const { logs } = await engine.logs.list({ messageId, state: "DELIVERED" });
    expect(logs).toMatchObject([{ messageId }]);
  });

  it("knows the same message again", async () => {
    const first = await engine.publish({ url: URL, deduplicationId: "d" });
    expect(await engine.publish({ url: URL, deduplicationId: "d" })).toEqual({
      ...first,
      deduplicated: true,
    });
  });

  it("sends strings and bytes as they are", async () => {
    await engine.publish({ url: URL, body: "text" });
    await engine.publish({ url: URL, body: new TextEncoder().encode("bytes") });
    await engine.publish({ url: URL, body: new TextEncoder().encode("buffer").buffer });
    await w.drain();
    expect(w.calls.map(({ text }) => text).sort()).toEqual(["buffer", "bytes", "text"]);
  });

  it("reaches each endpoint of a URL group", async () => {
    await engine.urlGroups.addEndpoints("g", [{ url: URL, name: "a" }, { url: "https://b.test/" }]);
    await engine.urlGroups.setHeaders("g", { "X-Group": "g" });
    expect(await engine.publish({ urlGroup: "g", delay: "1h" })).toMatchObject([
      { url: URL },
      { url: "https://b.test/" },
    ]);
    await engine.urlGroups.removeEndpoints("g", [{ name: "a" }]);
    expect((await engine.urlGroups.get("g")).endpoints).toEqual([{ url: "https://b.test/" }]);
    expect(await engine.messages.cancel({ urlGroup: "g" })).toEqual({ cancelled: 2 });
    await engine.urlGroups.delete("g");
    expect(await engine.urlGroups.list()).toEqual([]);
    await expect(engine.publish({ urlGroup: "g" })).rejects.toMatchObject({ code: "not_found" });
  });
});

it("engine.batch gives the error of a faulty message in its place", async () => {
  await engine.queues.upsert("q", { paused: true });
  const results = await engine.batch([
    { url: URL },
    { url: URL, retries: 1000 },
    { urlGroup: "none" },
    { url: URL, queue: "q" },
  ]);
  expect(results).toMatchObject([
    { url: URL },
    { error: expect.stringMatching(/^retries /) },
    { error: "url group none not found" },
    { url: URL },
  ]);
  expect(await engine.queues.get("q")).toMatchObject({ lag: 1 });
});

it("engine.queues makes, changes and deletes them", async () => {
  await engine.queues.upsert("q", { parallelism: 2 });
  await engine.queues.pause("q");
  await engine.enqueue({ queue: "q", url: URL });
  await engine.idle();
  expect(await engine.queues.list()).toMatchObject([{ name: "q", parallelism: 2, paused: true, lag: 1 }]);
  await engine.queues.resume("q");
  await w.drain();
  expect(w.calls).toHaveLength(1);
  await engine.queues.delete("q");
  await expect(engine.queues.pause("q")).rejects.toMatchObject({ code: "not_found" });
});

it("engine.schedules makes messages by the clock", async () => {
  const { scheduleId } = await engine.schedules.create({
    url: URL,
    cron: "0 9 * * *",
    body: "tick",
    label: "l",
  });
  expect(await engine.schedules.get(scheduleId)).toMatchObject({
    cron: "0 9 * * *",
    body: "tick",
    labels: ["l"],
  });
  await w.drain(START + 86_400_000);
  expect(w.calls.map(({ text }) => text)).toEqual(["tick"]);
  await engine.schedules.pause(scheduleId);
  expect(await engine.schedules.list()).toMatchObject([{ scheduleId, isPaused: true }]);
  await engine.schedules.resume(scheduleId);
  await engine.schedules.delete(scheduleId);
  expect(await engine.schedules.list()).toEqual([]);
});

it("engine.flows pauses and pins keys", async () => {
  await engine.flows.pin("k", { rate: 10, period: 60 });
  expect(await engine.flows.get("k")).toMatchObject({ rateMax: 10, ratePeriod: 60, isPinnedRate: true });
  await engine.flows.unpin("k", { rate: true });
  await engine.flows.pause("k");
  await engine.publish({ url: URL, flowControl: { key: "k", parallelism: 1 } });
  await engine.idle();
  expect(await engine.flows.list({ search: "k" })).toMatchObject([{ isPaused: true, waitListSize: 1 }]);
  await engine.flows.resume("k");
  await engine.flows.resetRate("k");
  await w.drain();
  expect(w.calls).toHaveLength(1);
  expect(await engine.flows.parallelism()).toMatchObject({ parallelismCount: 0 });
});

it("engine.keys are those of deliveries, and rotate", async () => {
  const { current, next } = await engine.keys.get();
  const rotated = await engine.keys.rotate();
  expect(rotated.current).toBe(next);
  expect([current, next]).not.toContain(rotated.next);
  expect(await engine.keys.get()).toEqual(rotated);
});

it("engine.backup is of a file only", async () => {
  await expect(engine.backup()).rejects.toMatchObject({ code: "not_possible_here" });
  const onDisk = world(undefined, { file: machine().file });
  if (ON_POSTGRES) {
    await expect(onDisk.engine.backup()).rejects.toThrow("which has pg_dump");
    return;
  }
  const { content, size } = await onDisk.engine.backup();
  expect((await new Response(content).arrayBuffer()).byteLength).toBe(size);
  await onDisk.engine.stop();
  await onDisk.store.close();
});

describe("engine.dlq of messages", () => {
  it("sends again, and deletes", async () => {
    let status = 500;
    w = world(() => new Response("", { status }));
    engine = w.engine;
    await engine.publish({ url: URL, retries: 0, body: "again" });
    // Of two that fail at once, either may be the first.
    await w.drain();
    await engine.publish({ url: "https://b.test/", retries: 0 });
    await w.drain();
    const { messages } = await engine.dlq.list({ order: "earliestFirst", responseStatus: 500 });
    expect(messages.map(({ url }) => url)).toEqual([URL, "https://b.test/"]);
    status = 200;
    expect(await engine.dlq.retry(messages[0]?.dlqId ?? "", { delay: "5m" })).toMatchObject({
      responses: [{ messageId: expect.stringMatching(/^msg_/) }],
    });
    await w.drain();
    expect(w.calls.map(({ text, at }) => [text, at - START])).toContainEqual(["again", 300_000]);
    expect(await engine.dlq.delete({ all: true })).toEqual({ deleted: 1 });
    await expect(engine.dlq.delete("none")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("what is written wrong is a TypeError", () => {
  const bad: Record<string, (engine: Engine) => Promise<unknown>> = {
    "an unknown option": (one) => one.publish({ url: URL, retrys: 1 } as never),
    "no destination": (one) => one.publish({} as never),
    "two destinations": (one) => one.publish({ url: URL, urlGroup: "g" } as never),
    "a malformed option": (one) => one.publish({ url: URL, delay: "soon" as never }),
    "an unknown option of a callback": (one) =>
      one.publish({ url: URL, callback: { url: URL, to: 1 } as never }),
    "an unknown filter": (one) => one.runs.list({ workflow: "x" } as never),
    "an empty list": (one) => one.messages.cancel({ messageIds: [] }),
    "a selection of nothing": (one) => one.messages.cancel({}),
    "a selection that only limits": (one) => one.dlq.delete({ count: 1 } as never),
    "everything with a filter": (one) => one.dlq.retry({ all: true, label: "x" } as never),
    "an id that is none": (one) => one.runs.get(undefined as never),
    "an unknown option of a queue": (one) => one.queues.upsert("q", { parallel: 1 } as never),
    "no queue": (one) => one.enqueue({ url: URL } as never),
    "no cron": (one) => one.schedules.create({ url: URL } as never),
    "a body that JSON can't carry": (one) => one.publish({ url: URL, body: () => {} }),
    "a body that isn't there yet": (one) => one.publish({ url: URL, body: Promise.resolve("x") }),
    "a body that JSON would empty": (one) => one.publish({ url: URL, body: new Blob(["x"]) }),
  };
  it.each(Object.entries(bad))("%s", async (_, act) => {
    await expect(act(engine)).rejects.toThrow(TypeError);
    expect((await engine.logs.list()).logs).toEqual([]);
  });
});

describe("what the engine refuses is an EngineError in the words of options", () => {
  const bad: [name: string, code: string, message: string, act: (engine: Engine) => Promise<unknown>][] = [
    ["a limit", "limit_reached", "retries", (one) => one.publish({ url: URL, retries: 1000 })],
    [
      "a callback's limit",
      "limit_reached",
      "callback.retries",
      (one) => one.publish({ url: URL, callback: { url: URL, retries: 1000 } }),
    ],
    ["a URL", "invalid_request", "destination url", (one) => one.publish({ url: "ftp://a.test" })],
    [
      "a header",
      "invalid_request",
      "headers.x-a",
      (one) => one.publish({ url: URL, headers: { "x-a": "ž" } }),
    ],
    ["a name", "invalid_request", "queue", (one) => one.enqueue({ url: URL, queue: "a b" })],
    [
      "a cron expression",
      "invalid_request",
      "cron",
      (one) => one.schedules.create({ url: URL, cron: "never" }),
    ],
    ["a filter", "invalid_request", "count", (one) => one.logs.list({ count: 1.5 })],
    ["an empty filter", "invalid_request", "urlGroup", (one) => one.logs.list({ urlGroup: "" })],
    ["a cursor", "invalid_request", "cursor", (one) => one.runs.list({ cursor: "x" })],
    ["a body", "invalid_request", "parallelism", (one) => one.queues.upsert("q", { parallelism: 0 })],
    ["a step's run", "not_found", "workflow run none", (one) => one.runs.cancel("none")],
    ["a message", "not_found", "message none", (one) => one.messages.get("none")],
  ];
  it.each(bad)("%s: %s", async (_, code, words, act) => {
    const error = await act(engine).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
    expect(String(error)).not.toMatch(/upstash|parameter |topicName/i);
  });
});
