import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEADER } from "@perdure/core/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readStartConfig } from "../../src/cli/start-config.ts";
import { readStartFile, type StartFile } from "../../src/cli/start-file.ts";
import { ConfigError } from "../../src/cli/values.ts";
import { createEngine, type EngineOptions } from "../../src/index.ts";
import {
  APP,
  type Endpoint,
  failed,
  isFailure,
  OWN_TOKEN,
  ok,
  START,
  until,
  type World,
  world,
} from "../harness.ts";
import { type Act, app, callStep, createdWebhook, runStep, THIRD, to, workflow } from "../steps.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const URL_A = "https://a.test/";
const ENV = {
  PERDURE_TOKEN: "a token that is long enough",
  PERDURE_CURRENT_SIGNING_KEY: "sig_current, long enough",
  PERDURE_NEXT_SIGNING_KEY: "sig_next, long enough",
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure settings "));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What `perdure start` makes of a file, but for where deliveries may go. */
function read(file: object): Omit<EngineOptions, "store" | "token" | "signingKeys"> {
  const path = join(folder, "perdure.json");
  writeFileSync(path, JSON.stringify(file));
  const { destinations: _, ...engine } = readStartConfig({}, ENV, readStartFile(path)).engine;
  return engine;
}

const publish = (w: World, headers: Record<string, string> = {}, body = "", path = `publish/${URL_A}`) =>
  w.ask("POST", `/v2/${path}`, { headers, body });

const refused = (status: number, error: string) => ({
  status,
  body: { error: expect.stringContaining(error) },
});

const WEBHOOK = "/v2/workflows/hooks/defaultUser/wfr_1/evt_1";

/** Makes a webhook that the run never waits for. */
const webhookStep: Act = (at) =>
  at.self.append(at.runId, [createdWebhook(at.id, "evt_1")], { [HEADER.delay]: "1h" });

async function atWebhook(w: World): Promise<void> {
  await w.start("wfr_1");
  await w.engine.idle();
}

const hit = (w: World, body: string) => w.ask("POST", WEBHOOK, { token: null, body });

/** A message that comes bit by bit. */
function slowPublish(w: World) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const request = new Request(`http://engine.test/v2/publish/${URL_A}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${OWN_TOKEN}` },
    body: readable,
    duplex: "half",
  } as RequestInit);
  return {
    send: (text: string) => void writer.write(new TextEncoder().encode(text)),
    end: () => void writer.close(),
    answer: w.engine.fetch(request),
  };
}

/** An endpoint that never answers, until the attempt is given up. */
const never: Endpoint = () => new Promise(() => {});

/** That the first attempt at a message that is never answered is given up then, and not before. */
async function lasts(ms: number, w: World, headers: Record<string, string> = {}): Promise<void> {
  await publish(w, { ...headers, [HEADER.retries]: "0" });
  await until(() => w.calls.length === 1);
  w.clock.advance(ms - 1);
  await settle();
  expect(await w.deadLetters()).toEqual([]);
  w.clock.advance(1);
  await w.engine.idle();
  expect(await w.deadLetters()).toMatchObject([{ error: `no answer within ${ms / SECOND} s` }]);
}

/** Lets time go by, and the engine clean up. */
async function pass(w: World, ms: number): Promise<void> {
  await w.engine.idle();
  w.clock.advance(ms);
  await w.ask("GET", "/v2/keys");
  await w.engine.idle();
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** That so many of several requests are under way at once. */
async function atOnce(count: number, w: World, path = `publish/${URL_A}`): Promise<void> {
  for (let at = 0; at < 9; at++) await publish(w, {}, "", path.replace("#", String(at)));
  await until(() => w.calls.length >= count);
  await settle();
  expect(w.calls).toHaveLength(count);
}

interface Row {
  readonly file: StartFile;
  readonly endpoint?: Endpoint;
  readonly holds: (w: World) => Promise<unknown>;
}

const third: Endpoint = app({
  [APP]: workflow(callStep(), runStep),
  [THIRD]: () => new Response("x".repeat(20)),
});

/** Each setting, and what shows that it is obeyed. */
const OBEYED: Readonly<Record<string, Row>> = {
  concurrency: {
    file: { concurrency: 3, calls: 1 },
    endpoint: never,
    holds: (w) => atOnce(3, w, "publish/https://#.test/"),
  },
  calls: {
    file: { calls: 4 },
    endpoint: (call, self) => (call.url === THIRD ? never(call, self) : third(call, self)),
    async holds(w) {
      for (let at = 0; at < 9; at++) await w.start(`wfr_${at}`);
      await until(() => w.calls.length >= 9 + 2);
      await settle();
      // One third party has half of their room.
      expect(to(w, THIRD)).toHaveLength(2);
    },
  },
  "timeouts.delivery": {
    file: { timeouts: { delivery: "7s" } },
    endpoint: never,
    holds: (w) => lasts(7 * SECOND, w),
  },
  "timeouts.message": {
    file: { timeouts: { delivery: "1h", message: "7s" } },
    endpoint: never,
    holds: (w) => lasts(7 * SECOND, w),
  },
  "timeouts.lease": {
    file: { timeouts: { lease: "9s" } },
    endpoint: never,
    async holds(w) {
      const { messageId } = (await publish(w)).body;
      await until(() => w.calls.length === 1);
      expect((await w.store.message(messageId, 0))?.message.dueAt).toBe(START + 9 * SECOND);
    },
  },
  "limits.requestBytes": {
    file: { limits: { requestBytes: 10 } },
    async holds(w) {
      expect(await publish(w, {}, "x".repeat(11))).toMatchObject(refused(413, "10 bytes"));
      expect((await publish(w, {}, "x".repeat(10))).status).toBe(200);
    },
  },
  "limits.batchItems": {
    file: { limits: { batchItems: 2 } },
    async holds(w) {
      const batch = (count: number) =>
        w.ask("POST", "/v2/batch", { body: JSON.stringify(Array(count).fill({ destination: URL_A })) });
      expect(await batch(3)).toMatchObject(refused(413, "2 items"));
      expect((await batch(2)).status).toBe(200);
    },
  },
  "limits.inFlightBytes": {
    file: { limits: { inFlightBytes: 150_000, requestBytes: 100_000 } },
    async holds(w) {
      const first = slowPublish(w);
      first.send("x".repeat(90_000));
      await settle();
      expect(await publish(w, {}, "x".repeat(70_000))).toMatchObject(refused(503, "too many bodies"));
      expect((await publish(w, {}, "x".repeat(50_000))).status).toBe(200);
      first.end();
      expect((await first.answer).status).toBe(200);
      expect((await publish(w, {}, "x".repeat(70_000))).status).toBe(200);
    },
  },
  "limits.webhookBytes": {
    file: { limits: { webhookBytes: 10 } },
    endpoint: app({ [APP]: workflow(webhookStep) }),
    async holds(w) {
      await atWebhook(w);
      expect(await hit(w, "x".repeat(11))).toMatchObject(refused(413, "10 bytes"));
      expect((await hit(w, "x".repeat(10))).status).toBe(200);
    },
  },
  "limits.webhookHits": {
    file: { limits: { webhookHits: 2 } },
    endpoint: app({ [APP]: workflow(webhookStep) }),
    async holds(w) {
      await atWebhook(w);
      for (const status of [200, 200, 429]) expect((await hit(w, "x")).status).toBe(status);
    },
  },
  "limits.webhookHitBytes": {
    file: { limits: { webhookHitBytes: 3000 } },
    endpoint: app({ [APP]: workflow(webhookStep) }),
    async holds(w) {
      await atWebhook(w);
      // Stored as base64, with headers beside it.
      for (const status of [200, 429]) expect((await hit(w, "x".repeat(1500))).status).toBe(status);
      expect((await hit(w, "x")).status).toBe(200);
    },
  },
  "limits.messageBytes": {
    file: { limits: { messageBytes: 10 } },
    async holds(w) {
      expect(await publish(w, {}, "x".repeat(11))).toMatchObject(refused(412, "11 bytes"));
      const items = ["x".repeat(11), "x"].map((body) => ({ destination: URL_A, body }));
      const { body } = await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) });
      expect(body).toMatchObject([
        { error: expect.stringContaining("10") },
        { messageId: expect.any(String) },
      ]);
    },
  },
  "limits.callBytes": {
    file: { limits: { callBytes: 10 } },
    endpoint: third,
    async holds(w) {
      await w.start("wfr_1");
      await w.drain();
      expect(JSON.stringify(await w.run("wfr_1"))).toContain("10 bytes");
    },
  },
  "limits.historyBytes": {
    file: { limits: { historyBytes: 10 } },
    endpoint: () => ok(),
    async holds(w) {
      await w.start("wfr_1", {}, "x".repeat(11));
      await w.engine.idle();
      expect(w.calls[0]?.text).toBe("");
    },
  },
  "limits.retries": {
    file: { limits: { retries: 2 } },
    async holds(w) {
      expect(await publish(w, { [HEADER.retries]: "3" })).toMatchObject(refused(412, HEADER.retries));
      expect((await publish(w, { [HEADER.retries]: "2" })).status).toBe(200);
    },
  },
  "limits.runWaits": {
    file: { limits: { runWaits: 1 } },
    async holds(w) {
      await w.start("wfr_1", { [HEADER.delay]: "1h" });
      const waiting = w.ask("GET", "/v2/workflows/runs/wfr_1/wait");
      await settle();
      expect(await w.ask("GET", "/v2/workflows/runs/wfr_1/wait")).toMatchObject(
        refused(503, "limits.runWaits"),
      );
      await w.end("wfr_1");
      expect((await waiting).status).toBe(200);
    },
  },
  "limits.requestsPerSecond": {
    file: { limits: { requestsPerSecond: 1 } },
    async holds(w) {
      expect((await w.ask("GET", "/v2/dlq")).status).toBe(200);
      expect(await w.ask("GET", "/v2/dlq")).toMatchObject(refused(429, "1 requests a second"));
      // Runs go on, and come to their ends.
      await w.start("wfr_1", { [HEADER.delay]: "1h" });
      expect((await w.ask("GET", "/v2/workflows/runs/wfr_1")).status).toBe(200);
      expect((await w.end("wfr_1")).status).toBe(200);
    },
  },
  "limits.requestsPerDay": {
    file: { limits: { requestsPerDay: 1 } },
    async holds(w) {
      expect((await publish(w)).status).toBe(200);
      expect(await publish(w)).toMatchObject(refused(429, "1 requests a day"));
    },
  },
  "limits.delay": {
    file: { limits: { delay: "1m" } },
    endpoint: (call) => (isFailure(call) ? ok() : failed(500, "boom")),
    async holds(w) {
      const far = String(Math.floor(START / SECOND) + 61);
      for (const [name, value] of [
        [HEADER.delay, "61s"],
        [HEADER.notBefore, far],
        ["Upstash-Callback-Delay", "61s"],
        ["Upstash-Failure-Callback-Not-Before", far],
        ["Upstash-Callback-Failure-Callback-Delay", "61s"],
      ] as const) {
        const reports = { [HEADER.callback]: URL_A, [HEADER.failureCallback]: URL_A };
        const headers = { ...reports, "Upstash-Callback-Failure-Callback": URL_A, [name]: value };
        expect(await publish(w, headers)).toMatchObject(refused(412, `${name} must be at most 60 s`));
      }
      expect((await publish(w, { [HEADER.delay]: "60s", [HEADER.retries]: "0" })).status).toBe(200);
      await w.start("wfr_1", { [HEADER.retries]: "0" });
      await w.drain();
      for (const path of ["dlq/retry", "workflows/dlq/resume", "workflows/dlq/restart"]) {
        const headers = { [HEADER.delay]: "61s" };
        expect(await w.ask("POST", `/v2/${path}`, { headers })).toMatchObject(refused(412, HEADER.delay));
      }
      expect(await w.deadLetters()).toHaveLength(2);
    },
  },
  "limits.timeout": {
    file: { limits: { timeout: "5s" } },
    endpoint: never,
    holds: (w) => lasts(5 * SECOND, w, { [HEADER.timeout]: "1h" }),
  },
  "limits.timeout, where a message says nothing": {
    file: { limits: { timeout: "5s" } },
    endpoint: never,
    holds: (w) => lasts(5 * SECOND, w),
  },
  "limits.endpoints": {
    file: { limits: { endpoints: 1 } },
    async holds(w) {
      const endpoints = [{ url: URL_A }, { url: "https://b.test/" }];
      const body = JSON.stringify({ endpoints });
      const answer = await w.ask("POST", "/v2/topics/g/endpoints", { body });
      expect(answer).toMatchObject(refused(412, "at most 1 endpoints; got 2"));
      expect((await w.ask("GET", "/v2/topics")).body).toEqual([]);
    },
  },
  "limits.urlGroups": {
    file: { limits: { urlGroups: 1 } },
    async holds(w) {
      const add = (name: string, url = URL_A) =>
        w.ask("POST", `/v2/topics/${name}/endpoints`, { body: JSON.stringify({ endpoints: [{ url }] }) });
      expect((await add("g")).status).toBe(200);
      expect(await add("h")).toMatchObject(refused(412, "url group limit reached (1)"));
      // A change of one that is there isn't another one.
      expect((await add("g", "https://b.test/")).status).toBe(200);
      await w.ask("DELETE", "/v2/topics/g");
      expect((await add("h")).status).toBe(200);
    },
  },
  "limits.parallelism": {
    file: { limits: { parallelism: 2 } },
    endpoint: never,
    async holds(w) {
      await atOnce(2, w);
      expect((await w.ask("GET", "/v2/globalParallelism")).body.parallelismMax).toBe(2);
    },
  },
  "limits.queues": {
    file: { limits: { queues: 1 } },
    endpoint: () => failed(500, "boom"),
    async holds(w) {
      expect((await publish(w, { [HEADER.retries]: "0" }, "", `enqueue/a/${URL_A}`)).status).toBe(200);
      expect(await publish(w, {}, "", `enqueue/b/${URL_A}`)).toMatchObject(
        refused(412, "queue limit reached (1)"),
      );
      await w.drain();
      const headers = { [HEADER.queueName]: "b" };
      expect(await w.ask("POST", "/v2/dlq/retry", { headers })).toMatchObject(
        refused(412, "queue limit reached (1)"),
      );
      expect(await w.deadLetters()).toHaveLength(1);
      expect((await w.ask("POST", "/v2/dlq/retry")).body.responses).toHaveLength(1);
    },
  },
  "limits.queueParallelism": {
    file: { limits: { queueParallelism: 2 } },
    async holds(w) {
      const put = (parallelism: number) =>
        w.ask("POST", "/v2/queues", { body: JSON.stringify({ queueName: "q", parallelism }) });
      expect(await put(3)).toMatchObject(refused(412, "parallelism must be at most 2; got 3"));
      expect((await put(2)).status).toBe(200);
    },
  },
  "limits.schedules": {
    file: { limits: { schedules: 1 } },
    async holds(w) {
      const headers = { [HEADER.cron]: "* * * * *" };
      expect((await publish(w, headers, "", `schedules/${URL_A}`)).status).toBe(200);
      const second = await publish(w, headers, "", `schedules/${URL_A}`);
      expect(second).toMatchObject(refused(412, "schedule limit reached (1)"));
    },
  },
  "retention.deduplication": {
    file: { retention: { deduplication: "5s" } },
    async holds(w) {
      const headers = { [HEADER.deduplicationId]: "d" };
      const statuses: number[] = [];
      for (const ms of [0, 4999, 1]) {
        w.clock.advance(ms);
        statuses.push((await publish(w, headers)).status);
      }
      expect(statuses).toEqual([200, 202, 200]);
    },
  },
  "retention.messages": {
    file: { retention: { messages: "5s" } },
    async holds(w) {
      const { messageId } = (await publish(w)).body;
      await w.engine.idle();
      const statuses: number[] = [];
      for (const ms of [4999, 1]) {
        w.clock.advance(ms);
        statuses.push((await w.ask("GET", `/v2/messages/${messageId}`)).status);
      }
      expect(statuses).toEqual([200, 404]);
    },
  },
  "retention.logs": {
    file: { retention: { logs: "1h" } },
    async holds(w) {
      await publish(w, { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "rate=1" });
      const left = async () => [
        (await w.ask("GET", "/v2/logs")).body.logs.length,
        (await w.ask("GET", "/v2/flowControl")).body.length,
      ];
      await pass(w, HOUR - 1);
      expect(await left()).toEqual([3, 1]);
      await pass(w, MINUTE);
      await pass(w, MINUTE);
      expect(await left()).toEqual([0, 0]);
    },
  },
  "retention.dlq": {
    file: { retention: { dlq: "1h" } },
    endpoint: () => failed(500, "boom"),
    async holds(w) {
      await publish(w, { [HEADER.retries]: "0" });
      await pass(w, HOUR - 1);
      expect(await w.deadLetters()).toHaveLength(1);
      await pass(w, MINUTE);
      expect(await w.deadLetters()).toEqual([]);
    },
  },
  "retention.runs": {
    file: { retention: { runs: "1h" } },
    endpoint: app({ [APP]: workflow() }),
    async holds(w) {
      await w.start("wfr_1");
      await pass(w, HOUR - 1);
      expect(await w.run("wfr_1")).toMatchObject({ workflowState: "RUN_SUCCESS" });
      await pass(w, MINUTE);
      expect(await w.run("wfr_1")).toBeUndefined();
    },
  },
  region: {
    file: { region: "US-EAST-1" },
    async holds(w) {
      await publish(w);
      await w.engine.idle();
      expect(w.calls[0]?.headers.get("Upstash-Region")).toBe("US-EAST-1");
    },
  },
};

/** The dead letters of an engine that delivers one message over real connections. */
async function deadLetters(url: string, file: object): Promise<unknown> {
  const secrets = { token: "t", signingKeys: { current: "sig_a", next: "sig_b" } };
  const engine = createEngine({ ...secrets, store: ":memory:", ...read(file) });
  engine.start();
  const ask = async (path: string, method = "GET"): Promise<unknown> => {
    const headers = { Authorization: "Bearer t", [HEADER.retries]: "0" };
    return (await engine.fetch(new Request(`http://engine.test/v2/${path}`, { method, headers }))).json();
  };
  await ask(`publish/${url}`, "POST");
  await engine.idle();
  const found = await ask("dlq");
  await engine.stop();
  return found;
}

describe("a setting of perdure start", () => {
  it.each(Object.entries(OBEYED))("is obeyed: %s", async (_, { file, endpoint, holds }) => {
    const w = world(endpoint, read(file));
    await holds(w);
    await w.engine.stop({ deadline: 0 });
  });

  it("is obeyed: limits.responseBytes, by what delivers for real", async () => {
    const server = createServer((_, answer) => answer.writeHead(500).end("0123456789"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const dlq = await deadLetters(url, { limits: { responseBytes: 4 } });
    expect(dlq).toMatchObject({ messages: [{ responseBody: "0123" }] });
    server.closeAllConnections();
    server.close();
  });

  it("is obeyed: timeouts.lookup, by what delivers for real", async () => {
    // No name server answers within a millisecond, and none knows this name.
    const dlq = await deadLetters("http://nobody.invalid/", { timeouts: { lookup: "1ms" } });
    expect(JSON.stringify(dlq)).toContain("no name server answered within 0.001 s");
  });

  it("is obeyed: timeouts.query, where threads run lists", async () => {
    const secrets = { token: "t", signingKeys: { current: "sig_a", next: "sig_b" } };
    // No thread begins within a millisecond.
    const options = { ...secrets, store: join(folder, "lists.db"), ...read({ timeouts: { query: "1ms" } }) };
    const engine = createEngine(options);
    const request = new Request("http://engine.test/v2/workflows/runs?qstash_token=t");
    const answer = await engine.fetch(request);
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { error: expect.stringContaining("the query took longer than 0.001s: narrow its filters") },
    ]);
    await engine.stop();
  });

  it("is told of in the guide, and has a test here", () => {
    const guide = readFileSync(new URL("../../../../docs/engine-library.md", import.meta.url), "utf8");
    const told = [...guide.matchAll(/`((?:limits|timeouts|retention)\.\w+|concurrency|calls|region)`/g)];
    const names = new Set(told.map(([, name]) => name as string));
    const tested = Object.keys(OBEYED).map((name) => name.split(",")[0] as string);
    expect([...names].sort()).toEqual(
      [...new Set([...tested, "limits.responseBytes", "timeouts.lookup", "timeouts.query"])].sort(),
    );
  });
});

/** A value, and what the refusal of it says: for a file, and for the library. */
const REFUSED: [StartFile | object, string, string][] = [
  [{ concurrency: 0 }, "concurrency", "a whole number from 1 on; got 0"],
  [{ concurrency: 1.5 }, "concurrency", "a whole number from 1 on; got 1.5"],
  [{ calls: -1 }, "calls", "a whole number from 0 on; got -1"],
  [{ calls: "8" }, "calls", "a whole number from 0 on; got 8"],
  ...[
    "requestBytes",
    "batchItems",
    "inFlightBytes",
    "requestsPerSecond",
    "requestsPerDay",
    "endpoints",
    "parallelism",
    "queueParallelism",
  ].map((name): [object, string, string] => [
    { limits: { [name]: 0 } },
    `limits.${name}`,
    "from 1 on; got 0",
  ]),
  ...[
    "responseBytes",
    "webhookBytes",
    "webhookHits",
    "webhookHitBytes",
    "callBytes",
    "historyBytes",
    "messageBytes",
    "retries",
    "urlGroups",
    "queues",
    "schedules",
  ].map((name): [object, string, string] => [
    { limits: { [name]: -1 } },
    `limits.${name}`,
    "from 0 on; got -1",
  ]),
];

describe("a setting out of its range", () => {
  const secrets = { store: ":memory:", token: "t", signingKeys: { current: "sig_a", next: "sig_b" } };
  const create = (options: object) => createEngine({ ...secrets, ...options } as EngineOptions);

  it.each(REFUSED)("is refused by the file and by the library: %j", (options, name, text) => {
    expect(() => read(options)).toThrow(ConfigError);
    expect(() => read(options)).toThrow(name);
    expect(() => create(options)).toThrow(TypeError);
    expect(() => create(options)).toThrow(`${name} must be`);
    expect(() => create(options)).toThrow(text);
  });

  it.each([
    [{ timeouts: { delivery: "0s" } }, "timeouts.delivery"],
    [{ timeouts: { lease: "0s" } }, "timeouts.lease"],
    [{ timeouts: { message: "0s" } }, "timeouts.message"],
    [{ limits: { timeout: "0s" } }, "limits.timeout"],
    [{ limits: { delay: "-1s" } }, "limits.delay"],
    [{ limits: { delay: 60 } }, "limits.delay"],
    [{ retention: { logs: "soon" } }, "retention.logs"],
    [{ retention: { log: "1d" } }, "log"],
    [{ region: "EU CENTRAL" }, "region"],
  ])("is refused by the file: %j", (file, name) => {
    expect(() => read(file)).toThrow(ConfigError);
    expect(() => read(file)).toThrow(name);
  });

  it.each([
    [{ timeouts: { delivery: 0 } }, "timeouts.delivery must be a number of milliseconds above 0; got 0"],
    [{ timeouts: { lease: Number.NaN } }, "timeouts.lease must be a number of milliseconds above 0; got NaN"],
    [{ limits: { timeout: "1h" } }, "limits.timeout must be a number of milliseconds above 0; got 1h"],
    [{ limits: { delay: -1 } }, "limits.delay must be a number of milliseconds from 0 on; got -1"],
    [{ limits: { retry: 1 } }, 'Unknown option "retry" of limits. The options are retries'],
    [{ limit: {} }, 'Unknown option "limit" of createEngine. The options are limits'],
    [{ retention: { log: 1 } }, 'Unknown option "log" of retention. The options are logs'],
  ])("is refused by the library: %j", (options, text) => {
    expect(() => create(options)).toThrow(TypeError);
    expect(() => create(options)).toThrow(text);
  });
});
