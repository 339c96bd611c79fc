import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { APP, type Ask, ofRun, ok, result, type World, world } from "../harness.ts";
import { inline, waits } from "../inline/invocation.ts";

const later = { [HEADER.delay]: "1d" };
const PUBLISH = "/v2/publish/https://a.test/";

describe("a request", () => {
  it.each([
    ["without a token", null, "unauthorized"],
    ["with another token", "wrong", "not this engine's"],
    ["with a token that is a prefix", DEV_CREDENTIALS.token.slice(0, -1), "not this engine's"],
  ])("%s is refused", async (_, token, error) => {
    const w = world();
    const answer = await w.ask("POST", PUBLISH, { token });
    expect(answer).toMatchObject({ status: 401, body: { error: expect.stringContaining(error) } });
    await w.engine.idle();
    expect(w.calls).toEqual([]);
  });

  it("may carry the token in its query, which the destination never sees", async () => {
    const w = world();
    const token = encodeURIComponent(DEV_CREDENTIALS.token);
    for (const name of ["qstash_token", "qstash%5Ftoken"]) {
      const path = `${PUBLISH}?${name}=${token}&a=1`;
      expect((await w.ask("POST", path, { token: null })).status).toBe(200);
    }
    await w.engine.idle();
    expect(w.calls.map(({ url }) => url)).toEqual(["https://a.test/?a=1", "https://a.test/?a=1"]);
  });

  it.each([
    ["GET", "/v2/nothing", 404],
    ["GET", "/", 404],
    ["GET", "/v2/enqueue/q/https://a.test", 405],
    ["PUT", "/v2/schedules/x", 405],
    ["GET", PUBLISH, 405],
    ["PUT", "/v2/batch", 405],
    ["POST", "/v2/workflows/runs/x", 405],
    ["PATCH", "/v2/keys", 405],
  ])("%s %s is answered with %i and a reason", async (method, path, status) => {
    const w = world();
    const answer = await w.ask(method, path);
    expect(answer).toMatchObject({ status, body: { error: expect.stringContaining(method) } });
    expect(answer.headers.has("allow")).toBe(status === 405);
  });

  it.each([
    ["POST", "/v2/%6eotify/event"],
    ["POST", "/v2/%6eotify/x/v2/notify/event"],
    ["POST", "/%76%32/publish/https://a.test/"],
    ["GET", "/v2/w%61iters/event"],
  ])("%s %s isn't taken for something else", async (method, path) => {
    const answer = await world().ask(method, path);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining("invalid path") } });
  });

  it.each([
    ["DELETE", "/v2/messages", (deep: string) => `{"messageIds":${deep}}`],
    ["POST", "/v2/batch", (deep: string) => `[{"destination":"https://a.test","headers":{"a":${deep}}}]`],
    ["POST", "/v2/wait/e", (deep: string) => `{"timeoutBody":{"a":${deep}}}`],
  ])("%s %s with JSON that is nested too deeply is refused", async (method, path, around) => {
    const w = world();
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expect(await w.ask(method, path, { body: around(deep) })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("nested deeper than 1000 levels") },
    });
  });

  it("with a body over the limit is refused before it is read to the end", async () => {
    const w = world(undefined, { limits: { requestBytes: 1000 } });
    expect((await w.ask("POST", PUBLISH, { body: "x".repeat(1000) })).status).toBe(200);
    const over = { status: 413, body: { error: expect.stringContaining("1000 bytes") } };
    expect(await w.ask("POST", PUBLISH, { body: "x".repeat(1001) })).toMatchObject(over);
    expect(await w.ask("POST", PUBLISH, { headers: { "Content-Length": "1001" } })).toMatchObject(over);
    expect(await w.ask("POST", "/v2/batch", { body: "x".repeat(1001) })).toMatchObject(over);
    await w.start("wfr_1", later);
    expect(await w.end("wfr_1", "x".repeat(1001))).toMatchObject(over);
    const endless = new ReadableStream<Uint8Array>({ pull: (to) => to.enqueue(new Uint8Array(400)) });
    const request = new Request(`http://engine.test${PUBLISH}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${DEV_CREDENTIALS.token}` },
      body: endless,
      duplex: "half",
    } as RequestInit);
    expect((await w.engine.fetch(request)).status).toBe(413);
  });

  it("that the engine can't serve is answered with 500, and told to those who watch", async () => {
    const w = world();
    w.store.accept = () => Promise.reject(new TypeError("disk on fire"));
    expect(await w.ask("POST", PUBLISH)).toMatchObject({
      status: 500,
      body: { error: expect.not.stringContaining("fire") },
    });
    expect(w.events).toMatchObject([{ type: "fault", during: expect.stringContaining("POST") }]);
  });

  it("comes from the address that the server knows", async () => {
    const w = world();
    const request = new Request(`http://engine.test${PUBLISH}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${DEV_CREDENTIALS.token}` },
    });
    await w.engine.fetch(request, { callerIp: "203.0.113.9" });
    await w.engine.idle();
    expect(w.calls[0]?.headers.get(HEADER.callerIp)).toBe("203.0.113.9");
  });
});

describe("POST /v2/publish", () => {
  it.each([
    ["a.test/x", {}, 400, "endpoint has invalid scheme, add http:// or https://"],
    ["https://a.test", { [HEADER.retryDelay]: "1 +" }, 400, "Upstash-Retry-Delay"],
    ["https://a.test", { [HEADER.retries]: "-1" }, 400, "Upstash-Retries"],
    ["https://a.test", { [HEADER.retries]: "1000" }, 412, "Upstash-Retries"],
    ["https://a.test", { [HEADER.delay]: "soon" }, 400, "Upstash-Delay"],
    [
      "https://a.test",
      { [HEADER.callback]: "b.test" },
      400,
      "invalid Upstash-Callback: invalid destination url",
    ],
    [
      "https://a.test",
      { "Upstash-Callback": "https://b.test", "Upstash-Callback-Workflow-Init": "false" },
      400,
      "upstash-callback-workflow-init",
    ],
    ["https://a.test", { [HEADER.callType]: "toCallback" }, 400, "invalid Upstash-Callback: a call needs"],
    ["https://a.test", { [HEADER.callType]: "fromCallback" }, 400, "fromCallback is not supported"],
    ["https://a.test", { [HEADER.invoke]: "true" }, 400, "invalid Upstash-Workflow-Invoke"],
    ["https://a.test", { [HEADER.init]: "true" }, 400, HEADER.runId],
    ["https://a.test", { [HEADER.init]: "true", [HEADER.runId]: "a b" }, 400, HEADER.runId],
    ["https://a.test?upstash-retries=x", {}, 400, "Upstash-Retries"],
  ])("to %s with %j is refused, and nothing is stored", async (destination, headers, status, error) => {
    const w = world();
    const answer = await w.ask("POST", `/v2/publish/${destination}`, {
      headers: headers as Record<string, string>,
    });
    expect(answer).toMatchObject({ status, body: { error: expect.stringContaining(error) } });
    await w.drain();
    expect(w.calls).toEqual([]);
    expect((await w.ask("GET", "/v2/workflows/logs")).body).toEqual({ runs: [] });
  });
});

describe("POST /v2/batch", () => {
  const batch = (w: World, body: unknown): ReturnType<World["ask"]> =>
    w.ask("POST", "/v2/batch", { body: typeof body === "string" ? body : JSON.stringify(body) });

  it("answers faulty items, and proceeds with the others", async () => {
    const w = world();
    const { status, body } = await batch(w, [
      {
        destination: "https://a.test/1",
        body: "one",
        headers: { "upstash-method": "PUT", "content-type": "text/x" },
      },
      { body: "no destination" },
      { destination: "https://a.test/2", headers: { "upstash-retries": "x" } },
      { destination: "https://a.test/3", queue: "q/" },
      { destination: "https://a.test/4", headers: { a: 1 } },
      { destination: "https://a.test/5", body: { a: 1 } },
      { destination: "https://a.test/6", headers: [] },
      { destination: "https://a.test/7", body: null, queue: null, headers: null },
    ]);
    expect(status).toBe(200);
    expect(body).toMatchObject([
      { messageId: expect.any(String), url: "https://a.test/1" },
      { error: "invalid destination: expected a url or a url group" },
      { error: expect.stringContaining("Upstash-Retries") },
      { error: 'invalid queue: "q/" must be of letters, digits, "-", "_" and "."' },
      { error: "invalid headers.a: expected a string, got 1" },
      { error: 'invalid body: expected a string, got {"a":1}' },
      { error: "invalid headers: expected an object, got []" },
      { url: "https://a.test/7" },
    ]);
    await w.engine.idle();
    expect(w.calls.map((call) => [call.method, call.url, call.text]).sort()).toEqual([
      ["POST", "https://a.test/7", ""],
      ["PUT", "https://a.test/1", "one"],
    ]);
  });

  it.each([
    ["{", "not JSON"],
    ["", "not JSON"],
    ["{}", "must be a JSON array"],
    ["[1]", "item 0: expected an object"],
    ["[{},null]", "item 1: expected an object"],
  ])("%j is refused", async (text, error) => {
    expect(await batch(world(), text)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(error) },
    });
  });

  it("of nothing is answered with nothing", async () => {
    expect(await batch(world(), [])).toMatchObject({ status: 200, body: [] });
  });

  it("that was to start runs and can start none is refused, since clients see nothing but the status", async () => {
    const w = world();
    const queue = { [HEADER.queueName]: "q" };
    expect(await w.start("wfr_1", queue)).toMatchObject({
      status: 400,
      body: {
        error: expect.stringContaining("Upstash-Queue-Name: a message of a run can't be in a queue"),
      },
    });
    expect((await w.start("wfr_1", { [HEADER.retries]: "1000" })).status).toBe(412);
    const good = { destination: APP, headers: ofRun("wfr_2", "true") };
    const bad = { destination: APP, headers: { ...ofRun("wfr_3", "true"), ...queue } };
    expect(await batch(w, [bad, good])).toMatchObject({
      status: 200,
      body: [{ error: expect.any(String) }, { workflowRunId: "wfr_2" }],
    });
  });

  it.each([
    ["of an option", { [HEADER.delay]: "soon" }, 400],
    ["of a limit", { [HEADER.retries]: "1000" }, 412],
    ["of something unsupported", { [HEADER.callType]: "toCallback" }, 400],
  ])("a fault %s in a run's step is a fault of the batch", async (_, headers, status) => {
    const w = world(() => ok());
    await w.start("wfr_1", later);
    expect((await w.append("wfr_1", [result(1)], headers)).status).toBe(status);
    expect((await w.ask("GET", "/v2/workflows/runs/wfr_1")).body).toHaveLength(1);
  });
});

describe("a name that the path of a URL can't contain", () => {
  const json = (value: object): Ask => ({ body: JSON.stringify(value) });
  const cases: [string, (name: string) => [path: string, ask: Ask]][] = [
    [
      "a schedule",
      (name) => [
        "/v2/schedules/https://a.test/",
        { headers: { [HEADER.cron]: "* * * * *", [HEADER.scheduleId]: name } },
      ],
    ],
    ["a queue", (name) => ["/v2/queues", json({ queueName: name })]],
    [
      "a flow control key",
      (name) => [
        PUBLISH,
        { headers: { [HEADER.flowControlKey]: name, [HEADER.flowControlValue]: "rate=1" } },
      ],
    ],
    [
      "an endpoint of a URL group",
      (name) => ["/v2/topics/g/endpoints", json({ endpoints: [{ url: "https://a.test/", name }] })],
    ],
  ];

  // URLs drop such segments, so nothing could pause or delete the thing again.
  it.each(cases)("is refused: of %s", async (_, make) => {
    const w = world();
    for (const name of [".", ".."]) {
      const [path, ask] = make(name);
      expect(await w.ask("POST", path, ask)).toMatchObject({
        status: 400,
        body: { error: expect.stringContaining(`the path of a URL can't contain "${name}"`) },
      });
    }
    for (const name of ["...", ".a", "a.."])
      expect((await w.ask("POST", ...make(name))).status).toBeLessThan(300);
  });

  it.each(["..", "\ud800"])("is refused: of an event: %j", async (eventId) => {
    const w = world(inline((run) => run.park(waits(run.runId, 1, eventId))));
    await w.start("wfr_1");
    await w.drain();
    expect(await w.run("wfr_1")).toMatchObject({ workflowState: "RUN_FAILED" });
  });
});
