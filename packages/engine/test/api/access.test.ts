import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { APP, isFailure, ofRun, ok, SDK, START, type World, world } from "../harness.ts";
import { app, CHILD, callStep, invokeStep, runStep, THIRD, workflow } from "../steps.ts";

const WAIT = "/v2/workflows/runs/wfr_1/wait?timeout=0s";
const options = { token: ["one", "two"], readOnlyTokens: ["look", "see"] };

describe("tokens", () => {
  it("may be several, in a header or in the query", async () => {
    const w = world(undefined, options);
    for (const token of ["one", "two"]) {
      expect(await w.ask("POST", "/v2/publish/https://a.test/", { token })).toMatchObject({ status: 200 });
      expect(
        await w.ask("POST", `/v2/publish/https://a.test/?qstash_token=${token}`, { token: null }),
      ).toMatchObject({ status: 200 });
    }
    for (const token of ["three", "", "one two", DEV_CREDENTIALS.token]) {
      expect(await w.ask("GET", "/v2/dlq", { token })).toMatchObject({ status: 401 });
    }
    expect(await w.ask("GET", "/v2/dlq", { token: null })).toMatchObject({ status: 401 });
  });

  it("that are read-only allow to look, and nothing else", async () => {
    const w = world(undefined, options);
    const { messageId } = (
      await w.ask("POST", "/v2/publish/https://a.test/", { token: "one", headers: { [HEADER.delay]: "1d" } })
    ).body;
    await w.ask("POST", "/v2/batch", {
      token: "one",
      body: JSON.stringify([{ destination: APP, headers: ofRun("wfr_1", "true") }]),
    });
    const looks = ["/v2/dlq", `/v2/messages/${messageId}`, "/v2/workflows/logs", "/v2/waiters/e", WAIT];
    for (const token of options.readOnlyTokens) {
      for (const path of looks) expect(await w.ask("GET", path, { token })).toMatchObject({ status: 200 });
      for (const [method, path] of [
        ["POST", "/v2/publish/https://a.test/"],
        ["POST", "/v2/batch"],
        ["DELETE", `/v2/messages/${messageId}`],
        ["DELETE", "/v2/dlq"],
        ["POST", "/v2/notify/e"],
        ["POST", "/v2/keys/rotate"],
        // With these one could make deliveries.
        ["GET", "/v2/keys"],
      ] as const) {
        const answer = await w.ask(method, path, { token });
        expect(answer, `${method} ${path}`).toMatchObject({
          status: 403,
          body: { error: expect.stringContaining("read-only") },
        });
      }
    }
    expect(await w.ask("GET", `/v2/messages/${messageId}`, { token: "one" })).toMatchObject({ status: 200 });
  });
});

describe("what a token sees", () => {
  const SECRET = "a secret of ours";
  const filled = async (hidePayloads: boolean): Promise<World> => {
    const child = workflow(
      () => new Response(SECRET, { status: 500, headers: { "x-answer": SECRET, ...SDK } }),
    );
    const w = world(
      app({
        [APP]: workflow(
          runStep,
          callStep({ body: SECRET, headers: { "X-Call": SECRET } }),
          invokeStep("wfr_child", { [HEADER.retries]: "0" }),
        ),
        [THIRD]: () => new Response(SECRET, { headers: { "x-answer": SECRET } }),
        [CHILD]: (call, self) => (isFailure(call) ? ok(SECRET) : child(call, self)),
      }),
      { readOnlyTokens: options.readOnlyTokens, hidePayloads },
    );
    const headers = { "Upstash-Forward-X-Secret": SECRET };
    await w.ask("POST", "/v2/batch", {
      body: JSON.stringify([
        { destination: APP, headers: { ...ofRun("wfr_1", "true"), ...headers }, body: SECRET },
      ]),
    });
    for (const id of ["a", "b"]) {
      await w.ask("POST", `/v2/publish/https://a.test/${id}`, {
        headers: {
          ...headers,
          [HEADER.delay]: id === "a" ? "1d" : "0s",
          [HEADER.retries]: "0",
          [HEADER.callback]: APP,
        },
        body: SECRET,
      });
    }
    await w.ask("POST", "/v2/schedules/https://a.test/", {
      headers: { ...headers, [HEADER.cron]: "* * * * *", [HEADER.scheduleId]: "s" },
      body: SECRET,
    });
    await w.engine.idle();
    return w;
  };
  const lists = [
    "/v2/workflows/logs",
    "/v2/workflows/runs",
    ...["wfr_1", "wfr_child"].flatMap((id) => [
      `/v2/workflows/runs/${id}?ended=true`,
      `/v2/workflows/runs/${id}/overview`,
      `/v2/workflows/runs/${id}/steps`,
      `/v2/workflows/runs/${id}/wait?timeout=0s`,
    ]),
    "/v2/dlq",
    "/v2/workflows/dlq",
    "/v2/logs",
    "/v2/events",
    "/v2/schedules",
    "/v2/schedules/s",
  ];
  const base64 = Buffer.from(SECRET).toString("base64").replaceAll("=", "");
  const shows = (body: unknown): boolean =>
    JSON.stringify(body).includes(SECRET) || JSON.stringify(body).includes(base64);

  it("is everything by default", async () => {
    const w = await filled(false);
    expect((await w.ask("GET", "/v2/workflows/access", { token: "see" })).body).toEqual({
      access: "read only",
      payloads: true,
      search: true,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    const shown = await Promise.all(
      lists.map(async (path) => shows((await w.ask("GET", path, { token: "see" })).body)),
    );
    expect(shown.filter(Boolean).length).toBeGreaterThan(8);
  });

  it("is no payload, result, body or header where the engine hides them from readers", async () => {
    const w = await filled(true);
    for (const path of lists) {
      const answer = await w.ask("GET", path, { token: "see" });
      expect(answer.status, path).toBe(200);
      expect(shows(answer.body) ? JSON.stringify(answer.body).slice(0, 600) : "", path).toBe("");
    }
    expect(shows((await w.ask("GET", "/v2/workflows/logs")).body)).toBe(true);
    for (const [token, access] of [
      ["see", { access: "read only", payloads: false, search: false }],
      [undefined, { access: "full", payloads: true, search: true }],
    ] as const) {
      const { body } = await w.ask("GET", "/v2/workflows/access", token === undefined ? {} : { token });
      expect(body).toMatchObject(access);
    }
  });
});

describe("rate limits", () => {
  const limits = (answer: { headers: Headers }): Record<string, string> =>
    Object.fromEntries([...answer.headers].filter(([name]) => name.includes("ratelimit")));

  it("are none by default", async () => {
    const w = world();
    for (let at = 0; at < 50; at++) expect((await w.ask("GET", "/v2/dlq")).status).toBe(200);
    expect(limits(await w.ask("GET", "/v2/dlq"))).toEqual({});
  });

  it("by the second spare what publishes, and begin anew with each second", async () => {
    const w = world(undefined, { limits: { requestsPerSecond: 2 } });
    const second = START / 1000;
    expect(limits(await w.ask("GET", "/v2/dlq"))).toEqual({
      "burst-ratelimit-limit": "2",
      "burst-ratelimit-remaining": "1",
      "burst-ratelimit-reset": String(second + 1),
    });
    w.clock.advance(999);
    expect((await w.ask("GET", "/v2/dlq")).status).toBe(200);
    const refused = await w.ask("GET", "/v2/dlq");
    expect(refused).toMatchObject({
      status: 429,
      body: { error: "rate limit exceeded: 2 requests a second" },
    });
    expect(limits(refused)).toMatchObject({ "burst-ratelimit-remaining": "0" });
    expect((await w.ask("POST", "/v2/publish/https://a.test/")).status).toBe(200);
    expect((await w.ask("POST", "/v2/notify/e")).status).toBe(201);
    w.clock.advance(1);
    expect((await w.ask("GET", "/v2/dlq")).status).toBe(200);
  });

  it("by the day count everything, and clients can tell them by their headers", async () => {
    const w = world(undefined, { limits: { requestsPerDay: 3, requestsPerSecond: 2 } });
    expect(limits(await w.ask("GET", "/v2/dlq"))).toEqual({
      "burst-ratelimit-limit": "2",
      "burst-ratelimit-remaining": "1",
      "burst-ratelimit-reset": String(START / 1000 + 1),
      "ratelimit-limit": "3",
      "ratelimit-remaining": "2",
      "ratelimit-reset": String(START / 1000 + 86_400),
    });
    for (let at = 0; at < 2; at++) {
      expect((await w.ask("POST", "/v2/publish/https://a.test/")).status).toBe(200);
    }
    const refused = await w.ask("POST", "/v2/publish/https://a.test/");
    expect(refused.status).toBe(429);
    expect(limits(refused)).toEqual({
      "ratelimit-limit": "3",
      "ratelimit-remaining": "0",
      "ratelimit-reset": String(START / 1000 + 86_400),
    });
    await w.drain();
    w.clock.advance(START + 86_400_000 - w.clock.now());
    expect((await w.ask("POST", "/v2/publish/https://a.test/")).status).toBe(200);
  });
});
