import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  Client,
  createWorkflow,
  type Handler,
  serve,
  serveMany,
  type WorkflowContext,
  WorkflowError,
} from "@perdure/core";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createEngine,
  type DestinationRules,
  type Engine,
  type EngineOptions,
  fetchTransport,
  ManualClock,
  type Transport,
} from "../../src/index.ts";
import { openTestStore } from "../stores.ts";

// No name server knows it: a request that left the process would fail.
const ORIGIN = "https://app.test";
const CREDENTIALS = {
  token: btoa(JSON.stringify({ UserID: "ann", Password: "a-password-of-her-own" })),
  signingKeys: { current: "sig_a", next: "sig_b" },
};

interface World {
  readonly engine: Engine;
  readonly client: Client;
  readonly clock: ManualClock;
}

/** An engine whose endpoint is a function of this process. */
function boot(endpoint: () => Handler, options: Partial<EngineOptions> = {}): World {
  const clock = new ManualClock();
  const store = openTestStore({ file: ":memory:", now: () => clock.now() });
  const engine = createEngine({
    ...CREDENTIALS,
    store,
    clock,
    endpoints: { [ORIGIN]: (request) => endpoint()(request) },
    ...options,
  });
  onTestFinished(async () => {
    await engine.stop();
    await store.close();
  });
  engine.start();
  return { engine, client: new Client(engine.client()), clock };
}

interface WorkflowOptions {
  /** Gets what the failure function is told. */
  readonly failures?: string[];
  /** The key that the endpoint trusts. */
  readonly key?: string;
  readonly baseUrl?: string;
  readonly token?: string;
  readonly limits?: EngineOptions["limits"];
  readonly onEvent?: EngineOptions["onEvent"];
}

/** An engine and the workflow of an endpoint in its process. */
function bootWorkflow<Payload, Result>(
  workflow: (context: WorkflowContext<Payload>) => Promise<Result>,
  options: WorkflowOptions = {},
): World {
  const { failures = [], key = CREDENTIALS.signingKeys.current, baseUrl, token, limits, onEvent } = options;
  let handler: Handler | undefined;
  const world = boot(() => handler as Handler, {
    ...(token && { token }),
    ...(limits && { limits }),
    ...(onEvent && { onEvent }),
  });
  ({ handler } = serve<Payload, Result>(workflow, {
    qstashClient: world.engine.client(baseUrl === undefined ? {} : { baseUrl }),
    keys: { current: key, next: key },
    retries: 1,
    failureFunction: ({ failResponse }) => {
      failures.push(failResponse);
    },
  }));
  return world;
}

/** Lets all the time pass that the engine waits for. */
async function drain({ engine, clock }: World): Promise<void> {
  do await engine.idle();
  while (clock.advanceToNext());
}

it("runs steps, parallel branches, sleeps and events without HTTP", async () => {
  const world = bootWorkflow<{ id: number }, unknown>(async (context) => {
    const doubled = await context.run("double", () => context.requestPayload.id * 2);
    const both = await Promise.all([
      context.run("a", () => doubled + 1),
      context.run("b", () => doubled + 2),
    ]);
    await context.sleep("a day", "1d");
    const { eventData } = await context.waitForEvent("the parcel", "parcel", { timeout: "7d" });
    return { both, eventData };
  });
  const { engine, client, clock } = world;
  const { workflowRunId } = await client.trigger({ url: `${ORIGIN}/order`, body: { id: 21 } });
  await engine.idle();
  clock.advanceToNext();
  await engine.idle();
  expect(await client.notify({ eventId: "parcel", eventData: "here" })).toMatchObject([{ workflowRunId }]);
  await engine.idle();
  const run = await client.runs.wait(workflowRunId);
  expect(run).toMatchObject({ result: { both: [43, 44], eventData: "here" } });
});

it("calls others over HTTP, and workflows beside it without", async () => {
  const other = createServer((_, response) => response.end('{"rate":1.1}')).listen(0, "127.0.0.1");
  await once(other, "listening");
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  let handler: Handler | undefined;
  const world = boot(() => handler as Handler);
  const child = createWorkflow(async (context: WorkflowContext<number>) => {
    return context.run("square", () => context.requestPayload ** 2);
  });
  const parent = createWorkflow(async (context: WorkflowContext<number>) => {
    const { body } = await context.call<{ rate: number }>("rate", { url: `http://127.0.0.1:${port}/` });
    const invoked = await context.invoke("child", { workflow: child, body: context.requestPayload });
    return { rate: body.rate, square: invoked.body };
  });
  ({ handler } = serveMany(
    { parent, child },
    { qstashClient: world.engine.client(), keys: CREDENTIALS.signingKeys },
  ));
  const { workflowRunId } = await world.client.trigger({ url: `${ORIGIN}/jobs/parent`, body: 7 });
  await drain(world);
  expect(await world.client.runs.get(workflowRunId)).toMatchObject({ result: { rate: 1.1, square: 49 } });
});

it("retries a failed step, runs the failure function, and resumes the run from the dead letter queue", async () => {
  const failures: string[] = [];
  let isBroken = true;
  const world = bootWorkflow(
    async (context) =>
      context.run("pay", () => {
        if (isBroken) throw new Error("no money");
        return "paid";
      }),
    { failures },
  );
  const { client } = world;
  const { workflowRunId } = await client.trigger({ url: `${ORIGIN}/order` });
  await drain(world);
  expect(failures).toEqual([expect.stringContaining("no money")]);
  const { messages } = await client.dlq.list();
  expect(messages).toMatchObject([{ workflowRunId, failureCallbackInfo: { state: "CALLBACK_SUCCESS" } }]);
  isBroken = false;
  const resumed = await client.dlq.resume({ dlqIds: messages[0]?.dlqId ?? "" });
  await drain(world);
  expect(await client.runs.get(resumed.workflowRuns[0]?.workflowRunId ?? "")).toMatchObject({
    result: "paid",
  });
});

it("checks signatures of deliveries in its own process, too", async () => {
  let hasRun = false;
  const world = bootWorkflow(
    async () => {
      hasRun = true;
    },
    { key: "another_key" },
  );
  const { workflowRunId } = await world.client.trigger({ url: `${ORIGIN}/order` });
  await drain(world);
  expect(hasRun).toBe(false);
  expect(await world.engine.runs.get(workflowRunId)).toMatchObject({ workflowState: "RUN_FAILED" });
  const { messages } = await world.engine.dlq.list();
  expect(messages).toMatchObject([{ responseStatus: 401 }]);
});

it("runs workflows, and tells of events, outside of the request that has started them or woken the engine", async () => {
  const requests = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const told: unknown[] = [];
  const world = bootWorkflow(
    async (context) => {
      seen.push(requests.getStore());
      await context.run("look", () => seen.push(requests.getStore()));
      await context.sleep("a day", "1d");
      await context.run("look again", () => seen.push(requests.getStore()));
    },
    { onEvent: () => void told.push(requests.getStore()) },
  );
  const users = ["ann", "bob", "eve"];
  await Promise.all(
    users.map((user) => requests.run(user, () => world.client.trigger({ url: `${ORIGIN}/order` }))),
  );
  await requests.run("ops", () => drain(world));
  expect(seen.length).toBeGreaterThanOrEqual(3 * users.length);
  expect(new Set(seen)).toEqual(new Set([undefined]));
  expect(told.length).toBeGreaterThan(users.length);
  expect(new Set(told)).toEqual(new Set([undefined]));
});

it.each([
  ["a transport by a function", (fetcher: () => Promise<Response>) => fetchTransport(1000, fetcher)],
  [
    "a transport of one's own",
    (fetcher: () => Promise<Response>): Transport => ({
      async send() {
        await fetcher();
        return { status: 200, headers: {}, body: new Uint8Array(), cut: false };
      },
      close: async () => {},
    }),
  ],
])("delivers by %s outside of the request that woke the engine", async (_, toTransport) => {
  const requests = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const transport = toTransport(async () => {
    seen.push(requests.getStore());
    return new Response();
  });
  const { engine } = boot(() => async () => new Response(), { transport, endpoints: {} });
  await requests.run("ann", () => engine.publish({ url: "https://other.test/mail" }));
  await engine.idle();
  expect(seen).toEqual([undefined]);
});

it("counts an error of the function as an attempt without an answer", async () => {
  const world = boot(() => async () => {
    throw new Error("the router is broken");
  });
  await world.engine.publish({ url: `${ORIGIN}/mail`, retries: 1 });
  await drain(world);
  const { logs } = await world.engine.logs.list();
  expect(logs.map(({ state }) => state)).toContain("FAILED");
  expect(logs.map(({ error }) => error)).toContainEqual(expect.stringContaining("the router is broken"));
});

it("cuts a large answer of the function at the limit", async () => {
  const world = boot(() => async () => new Response("x".repeat(5000)), { limits: { responseBytes: 1000 } });
  await world.engine.publish({ url: `${ORIGIN}/mail`, callback: { url: `${ORIGIN}/report` } });
  await drain(world);
  const { logs } = await world.engine.logs.list({ state: "DELIVERED" });
  expect(logs.map(({ responseBody }) => responseBody?.length ?? 0).every((length) => length <= 1000)).toBe(
    true,
  );
});

it("refuses the result of a step that is larger than a request may be, as over HTTP", async () => {
  const failures: string[] = [];
  const limits = { requestBytes: 3000 };
  const world = bootWorkflow(
    async (context) => {
      await context.run("much", () => "x".repeat(5000));
      await context.run("more", () => "y");
    },
    { failures, limits },
  );
  await world.client.trigger({ url: `${ORIGIN}/order` });
  await drain(world);
  expect(failures).toEqual([expect.stringContaining('refuses the result of step "much"')]);
});

it.each([
  ["ann", CREDENTIALS.token],
  ["default", "a token that names no user"],
])("gives the webhooks of %s the address of the engine's API", async (user, token) => {
  const baseUrl = "https://engine.example.com";
  let url = "";
  const world = bootWorkflow(
    async (context) => {
      const webhook = await context.createWebhook("a webhook");
      url = webhook.webhookUrl;
      const { request } = await context.waitForWebhook("a request", webhook, "1d");
      return request?.text();
    },
    { baseUrl, token },
  );
  const { workflowRunId } = await world.client.trigger({ url: `${ORIGIN}/order` });
  await world.engine.idle();
  expect(url).toContain(`${baseUrl}/v2/workflows/hooks/${user}/${workflowRunId}/`);
  const answer = await world.engine.fetch(new Request(url, { method: "POST", body: "knock" }));
  expect(answer.status).toBe(200);
  await world.engine.idle();
  expect(await world.client.runs.get(workflowRunId)).toMatchObject({ result: "knock" });
  expect(JSON.stringify(world.engine.client())).not.toContain(token);
});

it("refuses as over HTTP: with the status, and the engine's reason", async () => {
  const { engine, client } = boot(() => async () => new Response(), { destinations: {} });
  expect(await client.runs.get("wfr_none")).toBeUndefined();
  expect(await client.cancel({ workflowRunIds: "wfr_none" })).toEqual({ cancelled: 0 });
  const refused = await client.trigger({ url: "http://127.0.0.1/order" }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(WorkflowError);
  expect(refused).toMatchObject({ code: "engine_refused" });
  const { http } = engine.client();
  const append = { method: "POST", path: ["v2", "workflows", "append"], query: {}, headers: {} };
  await expect(
    http.request({ ...append, body: '{"appends":[1]}', parseResponseAsJson: true }),
  ).rejects.toMatchObject({
    status: 400,
    message: '{"error":"invalid appends: expected a list of objects"}',
  });
});

it.each([
  ["https://app.test/", "must be an origin"],
  ["https://app.test/path", "must be an origin"],
  ["app.test", "must be an origin"],
  ["ftp://app.test", "must be an origin"],
  ["HTTPS://APP.TEST", "must be an origin"],
])("refuses %s as the name of an endpoint", (origin, message) => {
  const endpoint = async (): Promise<Response> => new Response();
  const options = { ...CREDENTIALS, store: ":memory:", endpoints: { [origin]: endpoint } };
  expect(() => createEngine(options)).toThrow(message);
});

it("refuses an endpoint that isn't a function, and an unknown option of its client", () => {
  const endpoints = { [ORIGIN]: {} as never };
  expect(() => createEngine({ ...CREDENTIALS, store: ":memory:", endpoints })).toThrow(TypeError);
  const { engine } = boot(() => async () => new Response());
  expect(() => engine.client({ url: "http://engine.test" } as never)).toThrow(/"url".*baseUrl/);
});

describe("the rules for destinations", () => {
  const local = "http://localhost:3000";

  it.each<[rules: DestinationRules, origin: string, url: string]>([
    [{}, local, `${local}/order`],
    [{}, local, "HTTP://LOCALHOST:3000/order"],
    [{}, "http://10.0.0.7", "http://10.0.0.7:80/order"],
    [{ deny: ["app.test"] }, ORIGIN, `${ORIGIN}/order`],
  ])("%j aren't for the endpoint %s of this process", async (destinations, origin, url) => {
    const calls: string[] = [];
    const endpoint = (request: Request): Response => new Response(calls.push(request.url) ? "ok" : "");
    const { engine } = boot(() => async () => new Response(), {
      destinations,
      endpoints: { [origin]: endpoint },
    });
    await engine.publish({ url, callback: `${origin}/report` });
    await engine.idle();
    expect(calls).toEqual([new URL(url).href, `${origin}/report`]);
  });

  it.each([
    "http://localhost:3001/",
    "http://localhost/",
    "https://localhost:3000/",
    "http://localhost.:3000/",
    "http://x.localhost:3000/",
    "http://127.0.0.1:3000/",
    "http://[::1]:3000/",
  ])("are for %s beside it", async (url) => {
    const endpoints = { [local]: () => new Response() };
    const { engine } = boot(() => async () => new Response(), { destinations: {}, endpoints });
    await expect(engine.publish({ url })).rejects.toThrow(
      "invalid destination url: endpoint resolves to a loopback",
    );
    await expect(engine.publish({ url: local, callback: url })).rejects.toThrow("loopback address");
  });

  it("are for its origin where an engine without it delivers", async () => {
    const sent: string[] = [];
    const transport: Transport = {
      async send({ url }) {
        sent.push(url);
        return { status: 200, headers: {}, body: new Uint8Array(), cut: false };
      },
      close: async () => {},
    };
    const clock = new ManualClock();
    const store = openTestStore({ file: ":memory:", now: () => clock.now() });
    const options = { ...CREDENTIALS, store, clock, transport, destinations: {} };
    const first = createEngine({ ...options, endpoints: { [local]: () => new Response() } });
    const { messageId } = await first.publish({ url: local, delay: "1m" });
    await first.stop();
    const second = createEngine(options);
    onTestFinished(async () => {
      await second.stop();
      await store.close();
    });
    second.start();
    clock.advance(60_000);
    await second.idle();
    expect(sent).toEqual([]);
    const { messages } = await second.dlq.list({ messageId });
    expect(messages).toMatchObject([{ error: expect.stringContaining("loopback address") }]);
  });
});
