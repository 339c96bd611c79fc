import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failed, START, until, world } from "../harness.ts";

const URL = "https://a.test/x";

describe("a delivery", () => {
  it("carries the engine's own headers, whatever else was forwarded", async () => {
    const w = world();
    const { body } = await w.ask("POST", `/v2/publish/${URL}`, {
      headers: {
        "Upstash-Forward-Upstash-Message-Id": "mine",
        "Upstash-Forward-Upstash-Retried": "9",
        "Upstash-Forward-Upstash-Signature": "forged",
        "Upstash-Forward-Upstash-Caller-Ip": "1.1.1.1",
        "Upstash-Forward-Upstash-Topic-Name": "mine",
        "Upstash-Forward-User-Agent": "mine",
        "Upstash-Forward-Upstash-Region": "MARS",
        "Upstash-Telemetry-Sdk": "sdk",
      },
      body: "b",
    });
    await w.drain();
    const { headers } = w.calls[0] ?? {};
    expect(headers?.get("User-Agent")).toBe("Upstash-QStash");
    expect(headers?.get(HEADER.messageId)).toBe(body.messageId);
    expect(headers?.get(HEADER.retried)).toBe("0");
    expect(headers?.get(HEADER.callerIp)).toBe("127.0.0.1");
    expect(headers?.get(HEADER.signature)).not.toBe("forged");
    for (const name of [HEADER.topicName, HEADER.region, HEADER.telemetrySdk]) {
      expect(headers?.has(name)).toBe(false);
    }
  });

  it("says the region that the engine was told", async () => {
    const w = world(undefined, { region: "US-EAST-1" });
    await w.ask("POST", `/v2/publish/${URL}`, { headers: { "Upstash-Forward-Upstash-Region": "MARS" } });
    await w.drain();
    expect(w.calls[0]?.headers.get(HEADER.region)).toBe("US-EAST-1");
  });

  it("counts its retries", async () => {
    const w = world(
      ({ headers }) => new Response("", { status: headers.get(HEADER.retried) === "2" ? 200 : 500 }),
    );
    await w.ask("POST", `/v2/publish/${URL}`, { headers: { [HEADER.retryDelay]: "0" } });
    await w.drain();
    expect(w.calls.map(({ headers }) => headers.get(HEADER.retried))).toEqual(["0", "1", "2"]);
  });

  it.each([
    ["Retry-After", "30", 30_000],
    ["X-RateLimit-Reset", "6m5s", 365_000],
    ["X-RateLimit-Reset-Requests", "250ms", 250],
    ["X-RateLimit-Reset-Tokens", new Date(START + 90_000).toUTCString(), 90_000],
    ["Retry-After", "0", 0],
    ["Retry-After", "25h", 25 * 3_600_000],
    ["Retry-After", "soon", 1000],
  ])("that is answered with %s: %s is made again %i ms later", async (name, value, wait) => {
    const w = world(({ headers }) =>
      headers.get(HEADER.retried) === "0" ? failed(429, "slow down", { [name]: value }) : new Response(),
    );
    await w.ask("POST", `/v2/publish/${URL}`, { headers: { [HEADER.retryDelay]: "1000" } });
    await w.drain();
    expect(w.calls.map(({ at }) => at - START)).toEqual([0, wait]);
  });

  it.each([301, 302, 304, 307, 404])("that is answered with %i has failed", async (status) => {
    const w = world(() => new Response(null, { status, headers: { Location: "https://b.test/" } }));
    await w.ask("POST", `/v2/publish/${URL}`, { headers: { [HEADER.retries]: "0" } });
    await w.drain();
    expect(w.calls.map(({ url }) => url)).toEqual([URL]);
    expect(await w.deadLetters()).toMatchObject([{ responseStatus: status }]);
  });
});

describe("Upstash-Header-Forward", () => {
  it("knows in no time which headers belong to the connection, however they are listed", async () => {
    const w = world();
    const connection = `X-A ,${" ".repeat(200_000)}x-b,x${" ".repeat(200_000)}y`;
    const headers = { "upstash-header-forward": "true", connection, "x-a": "1", "x-b": "2", "x-c": "3" };
    const begun = performance.now();
    const body = JSON.stringify([{ destination: URL, headers }]);
    expect((await w.ask("POST", "/v2/batch", { body })).body).toEqual([
      expect.objectContaining({ url: URL }),
    ]);
    expect(performance.now() - begun).toBeLessThan(3000);
    await w.engine.idle();
    const sent = w.calls[0]?.headers;
    expect(["x-a", "x-b", "x-c"].map((name) => sent?.get(name))).toEqual([null, null, "3"]);
  });

  it("forwards all headers but those of the connection and the engine's own", async () => {
    const w = world();
    await w.ask("POST", `/v2/publish/${URL}?upstash-header-forward=true&q=1`, {
      headers: {
        "X-User": "u",
        "X-Both": "plain",
        "Upstash-Forward-X-Both": "named",
        Cookie: "a=b",
        "Content-Type": "text/plain",
        "Content-Encoding": "br",
        [HEADER.label]: "l",
      },
      body: "b",
    });
    await w.drain();
    const { headers, url } = w.calls[0] ?? {};
    expect(url).toBe(`${URL}?q=1`);
    expect(headers?.get("X-User")).toBe("u");
    expect(headers?.get("X-Both")).toBe("named");
    expect(headers?.get("Cookie")).toBe("a=b");
    expect(headers?.get("Content-Type")).toBe("text/plain");
    // The body is delivered as it came, so this is as true of it as before.
    expect(headers?.get("Content-Encoding")).toBe("br");
    expect(headers?.has("Authorization")).toBe(false);
    expect(headers?.has(HEADER.label)).toBe(false);
  });

  it("in a batch forwards those of the item", async () => {
    const w = world();
    await w.ask("POST", "/v2/batch", {
      headers: { "X-Outer": "1" },
      body: JSON.stringify([
        { destination: URL, headers: { "upstash-header-forward": "true", "x-inner": "2" } },
        { destination: URL, headers: { "upstash-header-forward": "false", "x-inner": "2" } },
      ]),
    });
    await w.drain();
    // Which of the two is delivered first doesn't matter.
    const told = w.calls.map(({ headers }) => [headers.get("X-Inner"), headers.get("X-Outer")]);
    expect(told).toHaveLength(2);
    expect(told).toEqual(
      expect.arrayContaining([
        [null, null],
        ["2", null],
      ]),
    );
  });
});

describe("limits", () => {
  it("are for the size of a body, the delay and the time that an attempt may take", async () => {
    const w = world(({ url }) => (url === URL ? new Promise<Response>(() => {}) : new Response()), {
      limits: { messageBytes: 10, delay: 60_000, timeout: 1000 },
    });
    const ask = (headers: Record<string, string>, body = ""): ReturnType<typeof w.ask> =>
      w.ask("POST", `/v2/publish/${URL}`, { headers, body });
    const refused = (error: string): object => ({
      status: 412,
      body: { error: expect.stringContaining(error) },
    });
    expect(await ask({}, "12345678901")).toMatchObject(refused("at most 10 bytes; got 11 bytes"));
    expect(await ask({ [HEADER.delay]: "61s" })).toMatchObject(refused("at most 60 s; got 61 s"));
    const far = String(START / 1000 + 61);
    expect(await ask({ [HEADER.notBefore]: far })).toMatchObject(refused("Upstash-Not-Before"));
    expect(await w.start("wfr_1", { [HEADER.delay]: "61s" }, "")).toMatchObject(refused("61 s"));
    expect((await ask({ [HEADER.delay]: "60s" }, "1234567890")).status).toBe(200);
    expect((await ask({ [HEADER.timeout]: "1h", [HEADER.retries]: "0" })).status).toBe(200);
    await until(() => w.calls.length === 1);
    w.clock.advance(1000);
    await w.engine.idle();
    expect(await w.deadLetters()).toMatchObject([{ error: "no answer within 1 s", responseStatus: 0 }]);
  });

  it("are for items of a batch as well", async () => {
    const w = world(undefined, { limits: { messageBytes: 3, retries: 5 } });
    const { body } = await w.ask("POST", "/v2/batch", {
      body: JSON.stringify([
        { destination: URL, body: "1234" },
        { destination: URL, body: "123" },
        { destination: URL, headers: { "upstash-retries": "6" } },
      ]),
    });
    expect(body).toEqual([
      { error: expect.stringContaining("4 bytes") },
      { messageId: expect.any(String), url: URL },
      { error: "Upstash-Retries must be at most 5; got 6" },
    ]);
  });
});

describe("POST /v2/batch/trigger", () => {
  it("starts runs, and answers for those that it can't start", async () => {
    const w = world();
    const { status, body } = await w.ask("POST", "/v2/batch/trigger", {
      body: JSON.stringify([
        { destination: "https://app.test/wf", body: "p", headers: { [HEADER.runId]: "wfr_1" } },
        { destination: "https://app.test/wf" },
        { destination: "app.test" },
        { destination: "https://app.test/wf", headers: { [HEADER.runId]: "wfr_1" } },
        { destination: "https://app.test/wf", headers: { [HEADER.callback]: "https://a.test" } },
      ]),
    });
    expect(status).toBe(201);
    expect(body).toEqual([
      { workflowRunId: "wfr_1", workflowCreatedAt: START },
      { workflowRunId: expect.stringMatching(/^wfr_/), workflowCreatedAt: START },
      { error: expect.stringContaining("invalid scheme") },
      { workflowRunId: "wfr_1", workflowCreatedAt: START, deduplicated: true },
      { error: expect.stringContaining("Upstash-Callback") },
    ]);
    await w.engine.idle();
    // Two runs were announced, and two failures reported: the endpoint never configured them. One may have failed before the
    // other one is announced.
    const announced = w.calls.filter(({ headers }) => headers.get(HEADER.unknownSdk) === "true");
    expect([announced.length, w.calls.length]).toEqual([2, 4]);
  });

  it.each([
    ["{", "not JSON"],
    ["{}", "JSON array"],
    ["[1]", "item 0"],
  ])("refuses %s", async (body, error) => {
    expect(await world().ask("POST", "/v2/batch/trigger", { body })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(error) },
    });
  });
});
