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

/** Values as JavaScript passes them. */
const plain = (value: unknown): never => value as never;

describe("an argument that is something else is named", () => {
  const bad: [message: string, act: (engine: Engine) => unknown][] = [
    ["The options of publish must be an object; got undefined.", (one) => one.publish(plain(undefined))],
    ["The options of publish must be an object; got a string.", (one) => one.publish(plain(URL))],
    ["enqueue needs the name of a queue.", (one) => one.enqueue(plain(null))],
    ["The options of trigger must be an object; got undefined.", (one) => one.trigger(plain(undefined))],
    ["The argument of batch must be a list of messages; got an object.", (one) => one.batch(plain({}))],
    [
      "The argument of batch must be a list of messages; got undefined.",
      (one) => one.batch(plain(undefined)),
    ],
    ["The options of batch must be an object; got null.", (one) => one.batch([plain(null)])],
    ["schedules.create needs a cron expression.", (one) => one.schedules.create(plain(undefined))],
    [
      "The options of callback must be an object; got null.",
      (one) => one.publish({ url: URL, callback: plain(null) }),
    ],
    [
      "The options of failureCallback must be an object; got a list.",
      (one) => one.publish({ url: URL, failureCallback: plain([URL]) }),
    ],
    ["redact must be an object; got null.", (one) => one.publish({ url: URL, redact: plain(null) })],
    [
      'redact.header must be true, or a list of names; got "x".',
      (one) => one.publish({ url: URL, redact: plain({ header: "x" }) }),
    ],
    ["redact.header must be", (one) => one.trigger({ url: URL, redact: { header: plain([5]) } })],
    ["redact.body must be", (one) => one.publish({ url: URL, redact: { body: plain("true") } })],
    ["redact.header must be", (one) => one.dlq.retry("dlq_1", { redact: { header: plain("x") } })],
    ["redact.header must be", (one) => one.dlq.resume("dlq_1", { redact: { header: plain("x") } })],
    [
      "redact.header must be",
      (one) => one.publish({ url: URL, callback: { url: URL, redact: { header: plain("x") } } }),
    ],
    [
      'contentBasedDeduplication must be a boolean; got "false".',
      (one) => one.publish({ url: URL, contentBasedDeduplication: plain("false") }),
    ],
    [
      "deduplicationId must be a string; got {}.",
      (one) => one.publish({ url: URL, deduplicationId: plain({}) }),
    ],
    [
      "scheduleId must be",
      (one) => one.schedules.create({ url: URL, cron: "* * * * *", scheduleId: plain(5) }),
    ],
    ["cron must be a string", (one) => one.schedules.create({ url: URL, cron: plain(5) })],
    ["queue must be a string", (one) => one.enqueue({ url: URL, queue: plain(["q"]) })],
    [
      "The argument of runs.cancel must be an id, filters or { all: true }; got undefined.",
      (one) => one.runs.cancel(plain(undefined)),
    ],
    ["The argument of runs.cancel must be", (one) => one.runs.cancel(plain(["wfr_1"]))],
    ["The argument of messages.cancel must be", (one) => one.messages.cancel(plain(null))],
    ["The argument of dlq.delete must be", (one) => one.dlq.delete(plain(undefined))],
    ["The argument of dlq.retry must be", (one) => one.dlq.retry(plain(5))],
    ["The argument of dlq.resume must be", (one) => one.dlq.resume(plain(undefined))],
    ["The argument of dlq.restart must be", (one) => one.dlq.restart(plain(new Map()))],
    ["The argument of runs.change must be", (one) => one.runs.change("cancel", plain(undefined))],
    ["all must be true or false", (one) => one.runs.cancel(plain({ all: "true" }))],
    ["all must be true or false", (one) => one.dlq.delete(plain({ all: 1, label: "x" }))],
    [
      'dryRun must be true or false; got "false".',
      (one) => one.runs.change("cancel", { all: true, dryRun: plain("false") }),
    ],
    [
      "dryRun must be true or false; got null.",
      (one) => one.runs.change("cancel", { all: true, dryRun: plain(null) }),
    ],
    ["Pass runs.change a filter", (one) => one.runs.change("cancel", plain({ dryRun: false, cursor: "x" }))],
    ["ended must be true or false", (one) => one.runs.history("wfr_1", { ended: plain("true") })],
    ["rate must be true or false", (one) => one.flows.unpin("k", { rate: plain("true") })],
    ["The filters must be an object; got null.", (one) => one.runs.list(plain(null))],
    ["The filters must be an object; got a string.", (one) => one.runs.find(plain("wfr_1"))],
    ["The filters must be an object; got a list.", (one) => one.dlq.list(plain(["x"]))],
    ["The filters must be an object; got null.", (one) => one.logs.list(plain(null))],
    ["The filters must be an object; got null.", (one) => one.events.waits(plain(null))],
    ["The filters must be an object; got null.", (one) => one.stream(plain(null))],
    ["signal must be an AbortSignal; got 5.", (one) => one.stream({ signal: plain(5) })],
    ["signal must be an AbortSignal", (one) => one.runs.wait("wfr_1", { signal: plain({}) })],
    ["The options of runs.wait must be an object; got null.", (one) => one.runs.wait("wfr_1", plain(null))],
    ["The options of events.notify must be an object", (one) => one.events.notify(plain(undefined))],
    ["eventId must be a string; got undefined.", (one) => one.events.notify(plain({}))],
    [
      "workflowRunId must be a string; got 5.",
      (one) => one.events.notify({ eventId: "e", workflowRunId: plain(5) }),
    ],
    [
      "The options of queues.upsert must be an object; got null.",
      (one) => one.queues.upsert("q", plain(null)),
    ],
  ];
  it.each(bad)("%s %#", async (message, act) => {
    const { workflowRunId } = await engine.trigger({ url: URL, delay: "1h" });
    const work = Promise.resolve().then(() => act(engine));
    await expect(work).rejects.toThrow(TypeError);
    await expect(work).rejects.toThrow(message);
    expect(await engine.runs.get(workflowRunId)).toMatchObject({ workflowState: "RUN_STARTED" });
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
