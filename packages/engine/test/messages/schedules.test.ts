import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { crash, useMachine } from "../crashing.ts";
import { type Answer, failed, ok, START, type World, world } from "../harness.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const EVERY_MINUTE = { [HEADER.cron]: "* * * * *" };

const schedule = (
  w: World,
  headers: Record<string, string> = {},
  body = "",
  destination = "https://a.test/x",
): Promise<Answer> =>
  w.ask("POST", `/v2/schedules/${destination}`, { headers: { ...EVERY_MINUTE, ...headers }, body });

const viewOf = async (w: World, id = "s") => (await w.ask("GET", `/v2/schedules/${id}`)).body;
const named = { [HEADER.scheduleId]: "s" };
const times = (w: World) => w.calls.map((call) => call.at - START);

describe("a schedule", () => {
  it("sends a message whenever its time comes", async () => {
    const w = world();
    const { status, body } = await schedule(w, { [HEADER.cron]: " */15 * * * * " });
    expect({ status, body }).toEqual({ status: 200, body: { scheduleId: expect.stringMatching(/^scd_/) } });
    await w.drain(START + HOUR);
    expect(times(w)).toEqual([15, 30, 45, 60].map((minutes) => minutes * MINUTE));
    const ids = w.calls.map((call) => call.headers.get(HEADER.messageId));
    expect(new Set(ids).size).toBe(4);
    for (const call of w.calls) expect(call.headers.get(HEADER.scheduleId)).toBe(body.scheduleId);
  });

  it("sends what it was given, as it was asked to", async () => {
    const w = world();
    await w.ask("POST", "/v2/schedules/https://a.test//x?a=1&upstash-schedule-id=s&b=2", {
      headers: {
        ...EVERY_MINUTE,
        [HEADER.method]: "PUT",
        [HEADER.timeout]: "5s",
        "Content-Type": "text/x",
        "Upstash-Forward-X-User": "u",
      },
      body: "hello",
    });
    await w.drain(START + MINUTE);
    expect(w.calls).toMatchObject([{ method: "PUT", url: "https://a.test//x?a=1&b=2", text: "hello" }]);
    const headers = w.calls[0]?.headers;
    expect(headers?.get("content-type")).toBe("text/x");
    expect(headers?.get("x-user")).toBe("u");
    expect(headers?.get(HEADER.callerIp)).toBe("127.0.0.1");
    expect(headers?.get(HEADER.cron)).toBeNull();
  });

  it("is shown as the protocol wants it", async () => {
    const w = world();
    await schedule(
      w,
      {
        ...named,
        [HEADER.cron]: "CRON_TZ=Europe/Berlin 0 9 * * * ",
        "Content-Type": "application/json",
        "Upstash-Forward-test-header": "value",
        "Upstash-Forward-Upstash-Workflow-X": "hidden",
        [HEADER.retries]: "7",
        [HEADER.retryDelay]: "1000 * (1 + retried)",
        [HEADER.delay]: "1m30s",
        [HEADER.failureCallback]: "https://b.test/failed",
        [HEADER.queueName]: "q",
        [HEADER.flowControlKey]: "k",
        [HEADER.flowControlValue]: "parallelism=2,rate=3,period=1m",
        [HEADER.label]: "one,two",
      },
      '{"a":1}',
    );
    const view = {
      scheduleId: "s",
      cron: "CRON_TZ=Europe/Berlin 0 9 * * *",
      createdAt: START,
      destination: "https://a.test/x",
      method: "POST",
      header: { "Content-Type": ["application/json"], "Test-Header": ["value"] },
      body: '{"a":1}',
      retries: 7,
      retryDelayExpression: "1000 * (1 + retried)",
      delay: 90,
      failureCallback: "https://b.test/failed",
      callerIP: "127.0.0.1",
      callerIp: "127.0.0.1",
      isPaused: false,
      queueName: "q",
      flowControlKey: "k",
      parallelism: 2,
      rate: 3,
      period: 60,
      label: "one",
      labels: ["one", "two"],
      nextScheduleTime: START + 8 * HOUR,
    };
    expect(await viewOf(w)).toEqual(view);
    expect((await w.ask("GET", "/v2/schedules")).body).toEqual([view]);
    expect((await w.ask("GET", "/v2/queues/q")).status).toBe(200);
  });

  it("is shown with no more than it has", async () => {
    const w = world();
    await schedule(w, named);
    expect(await viewOf(w)).toEqual({
      scheduleId: "s",
      cron: "* * * * *",
      createdAt: START,
      destination: "https://a.test/x",
      method: "POST",
      header: { "Content-Type": ["text/plain;charset=UTF-8"] },
      retries: 3,
      callerIP: "127.0.0.1",
      callerIp: "127.0.0.1",
      isPaused: false,
      nextScheduleTime: START + MINUTE,
    });
  });

  it("tells when it sent something last, and what became of that", async () => {
    const w = world((call) =>
      w.calls.length === 1 || call.at > START + 3 * MINUTE ? failed(500, "x") : ok(),
    );
    await schedule(w, { ...named, [HEADER.retries]: "1", [HEADER.retryDelay]: "90000" });
    const states = async () => {
      const { lastScheduleTime, nextScheduleTime, lastScheduleStates } = await viewOf(w);
      return [lastScheduleTime - START, nextScheduleTime - START, Object.values(lastScheduleStates)];
    };
    const tick = async () => {
      w.clock.advance(MINUTE);
      await w.engine.idle();
    };
    await tick();
    expect(await states()).toEqual([MINUTE, 2 * MINUTE, ["IN_PROGRESS"]]);
    const [id] = Object.keys((await viewOf(w)).lastScheduleStates);
    expect(id).toBe(w.calls[0]?.headers.get(HEADER.messageId));
    await tick();
    expect(await states()).toEqual([2 * MINUTE, 3 * MINUTE, ["SUCCESS"]]);
    // The message of the first tick comes to its end only now: of it nothing is told any more.
    await tick();
    expect(await states()).toEqual([3 * MINUTE, 4 * MINUTE, ["SUCCESS"]]);
    await tick();
    await w.ask("POST", "/v2/schedules/s/pause");
    await w.drain();
    const { lastScheduleStates, nextScheduleTime } = await viewOf(w);
    expect(Object.values(lastScheduleStates)).toEqual(["FAIL"]);
    expect(nextScheduleTime).toBeUndefined();
    expect(await w.deadLetters()).toMatchObject([{ scheduleId: "s" }]);
  });

  it("counts a message that is taken back as failed", async () => {
    const w = world();
    await schedule(w, { ...named, [HEADER.delay]: "10m" });
    w.clock.advance(MINUTE);
    await w.engine.idle();
    const [id] = Object.keys((await viewOf(w)).lastScheduleStates);
    await w.ask("DELETE", `/v2/messages/${id}`);
    expect((await viewOf(w)).lastScheduleStates).toEqual({ [id as string]: "FAIL" });
  });

  it("puts each message off by its delay", async () => {
    const w = world();
    await schedule(w, { ...named, [HEADER.cron]: "0 * * * *", [HEADER.delay]: "10m" });
    await w.drain(START + 2 * HOUR + 10 * MINUTE);
    expect(times(w)).toEqual([70 * MINUTE, 130 * MINUTE]);
  });

  it("puts its messages into its queue", async () => {
    const w = world((call) => (call.at < START + 150_000 ? failed(500, "x") : ok()));
    await w.ask("POST", "/v2/queues", { body: JSON.stringify({ queueName: "q", parallelism: 2 }) });
    await schedule(w, { ...named, [HEADER.queueName]: "q", [HEADER.retryDelay]: "90000" });
    await w.drain(START + 4 * MINUTE);
    // Both places are kept until their messages have come through.
    expect(times(w)).toEqual([60_000, 120_000, 150_000, 180_000, 210_000, 240_000]);
    expect((await w.ask("GET", "/v2/queues/q")).body).toMatchObject({ parallelism: 2, lag: 0 });
  });

  it("is replaced by one of the same id, with all that it was", async () => {
    const w = world();
    await schedule(
      w,
      { ...named, [HEADER.retries]: "9", [HEADER.label]: "old", [HEADER.delay]: "1m" },
      "body",
    );
    await w.drain(START + 2 * MINUTE);
    const first = await viewOf(w);
    await schedule(w, { ...named, [HEADER.cron]: "0 * * * *" }, "", "https://b.test/");
    expect(await viewOf(w)).toEqual({
      scheduleId: "s",
      cron: "0 * * * *",
      createdAt: START,
      destination: "https://b.test/",
      method: "POST",
      header: { "Content-Type": ["text/plain;charset=UTF-8"] },
      retries: 3,
      callerIP: "127.0.0.1",
      callerIp: "127.0.0.1",
      isPaused: false,
      lastScheduleTime: first.lastScheduleTime,
      lastScheduleStates: first.lastScheduleStates,
      nextScheduleTime: START + HOUR,
    });
    expect((await w.ask("GET", "/v2/schedules")).body).toHaveLength(1);
    await w.drain(START + HOUR);
    expect(w.calls.at(-1)).toMatchObject({ url: "https://b.test/", at: START + HOUR, text: "" });
  });

  it.each(["PATCH", "POST"])(
    "skips its ticks while it is paused by %s, and makes up for none",
    async (method) => {
      const w = world();
      await schedule(w, named);
      await w.drain(START + MINUTE);
      expect((await w.ask(method, "/v2/schedules/s/pause")).status).toBe(200);
      expect(await viewOf(w)).toMatchObject({ isPaused: true, lastScheduleTime: START + MINUTE });
      await schedule(w, named);
      expect(await viewOf(w)).toMatchObject({ isPaused: true });
      w.clock.advance(10 * MINUTE + 1000);
      await w.engine.idle();
      expect((await w.ask(method, "/v2/schedules/s/resume")).status).toBe(200);
      expect((await w.ask(method, "/v2/schedules/s/resume")).status).toBe(200);
      expect(await viewOf(w)).toMatchObject({ isPaused: false, nextScheduleTime: START + 12 * MINUTE });
      await w.drain(START + 13 * MINUTE);
      expect(times(w)).toEqual([MINUTE, 12 * MINUTE, 13 * MINUTE]);
    },
  );

  it("that is deleted sends nothing more; what it has sent goes on", async () => {
    const w = world();
    await schedule(w, { ...named, [HEADER.delay]: "10m" });
    w.clock.advance(MINUTE);
    await w.engine.idle();
    expect((await w.ask("DELETE", "/v2/schedules/s")).status).toBe(200);
    expect((await w.ask("DELETE", "/v2/schedules/s")).status).toBe(200);
    expect((await w.ask("GET", "/v2/schedules/s")).status).toBe(404);
    await w.drain();
    expect(times(w)).toEqual([11 * MINUTE]);
  });

  it("can be published too, and be one of a queue", async () => {
    const w = world();
    const headers = { ...EVERY_MINUTE, ...named };
    expect(await w.ask("POST", "/v2/publish/https://a.test/", { headers })).toMatchObject({
      status: 200,
      body: { scheduleId: "s" },
    });
    await w.ask("POST", "/v2/enqueue/q/https://a.test/", {
      headers: { ...headers, [HEADER.scheduleId]: "t" },
    });
    expect(await viewOf(w, "t")).toMatchObject({ queueName: "q" });
    await w.engine.idle();
    expect(w.calls).toEqual([]);
    await w.drain(START + MINUTE);
    expect(w.calls).toHaveLength(2);
  });

  it("goes to the endpoints that its URL group has at each tick, with the headers of both", async () => {
    const w = world();
    const add = (url: string) =>
      w.ask("POST", "/v2/topics/group/endpoints", { body: JSON.stringify({ endpoints: [{ url }] }) });
    expect((await schedule(w, named, "", "group")).status).toBe(404);
    expect((await schedule(w, named, "", "app.test")).status).toBe(400);
    await add("https://a.test/1");
    await schedule(
      w,
      { ...named, "Upstash-Forward-X-A": "schedule", [HEADER.retries]: "7" },
      "tick",
      "group",
    );
    expect(await viewOf(w)).toMatchObject({
      destination: "group",
      retries: 7,
      header: { "X-A": ["schedule"] },
    });
    await add("https://a.test/2");
    await w.ask("PATCH", "/v2/topics/group", {
      body: JSON.stringify({ headers: { "X-A": "group", "X-B": "group" } }),
    });
    w.clock.advance(MINUTE);
    await w.engine.idle();
    expect(w.calls.map(({ url, text }) => [url, text]).sort()).toEqual([
      ["https://a.test/1", "tick"],
      ["https://a.test/2", "tick"],
    ]);
    for (const { headers } of w.calls) {
      expect([headers.get("X-A"), headers.get("X-B")]).toEqual(["schedule", "group"]);
      expect(headers.get(HEADER.scheduleId)).toBe("s");
    }
    expect(Object.values((await viewOf(w)).lastScheduleStates)).toEqual(["SUCCESS", "SUCCESS"]);
    await w.ask("DELETE", "/v2/topics/group");
    await w.drain(START + 3 * MINUTE);
    expect(w.calls).toHaveLength(2);
    expect(await viewOf(w)).toMatchObject({ lastScheduleTime: START + 3 * MINUTE, lastScheduleStates: {} });
    expect(w.events.filter(({ type }) => type === "fault")).toEqual([]);
  });

  it("has its messages reported, and tells that they are of a schedule", async () => {
    const w = world((call) => (call.url.endsWith("x") ? failed(500, "no") : ok()));
    const callback = {
      [HEADER.callback]: "https://b.test/each",
      [HEADER.failureCallback]: "https://b.test/last",
    };
    await schedule(w, { ...named, ...callback, [HEADER.retries]: "0" });
    expect(await viewOf(w)).toMatchObject({
      callback: "https://b.test/each",
      failureCallback: "https://b.test/last",
    });
    w.clock.advance(MINUTE);
    await w.engine.idle();
    const reports = w.calls.filter(({ url }) => url.startsWith("https://b.test"));
    expect(reports.map(({ url, text }) => [url, JSON.parse(text).scheduleId]).sort()).toEqual([
      ["https://b.test/each", "s"],
      ["https://b.test/last", "s"],
    ]);
  });

  it("sends as much as it was accepted with, where there are no limits", async () => {
    const limits = { messageBytes: Infinity, delay: Infinity, retries: Infinity, timeout: Infinity };
    const w = world(undefined, { limits });
    await schedule(w, { [HEADER.delay]: "30s", [HEADER.retries]: "2", [HEADER.timeout]: "5s" }, "hello");
    await w.drain(START + 2 * MINUTE);
    expect(times(w)).toEqual([1.5 * MINUTE]);
  });

  it("sends nothing that is known again", async () => {
    const w = world();
    await schedule(w, { ...named, [HEADER.deduplicationId]: "d" });
    await w.drain(START + 12 * MINUTE);
    expect(times(w)).toEqual([MINUTE, 11 * MINUTE]);
  });

  it("forwards all that it came with, where that is asked for, but for its token", async () => {
    const w = world();
    await schedule(w, { ...named, [HEADER.headerForward]: "true", "X-User": "u" });
    expect((await viewOf(w)).header["X-User"]).toEqual(["u"]);
    expect(JSON.stringify(await w.store.schedules())).not.toContain("Bearer");
    await w.drain(START + MINUTE);
    expect(w.calls[0]?.headers.get("X-User")).toBe("u");
    expect(w.calls[0]?.headers.has("Authorization")).toBe(false);
  });

  it("has what waits of it taken back by its id", async () => {
    const w = world();
    await schedule(w, { ...named, [HEADER.delay]: "1d" });
    await w.drain(START + 3 * MINUTE);
    await w.ask("DELETE", "/v2/schedules/s");
    expect((await w.ask("DELETE", "/v2/messages?scheduleId=s")).body).toEqual({ cancelled: 3 });
    await w.drain();
    expect(w.calls).toEqual([]);
  });

  it("shows only hashes of what is redacted, as do its messages; the destination gets the originals", async () => {
    const w = world();
    const headers = { "Upstash-Forward-X-Key": "secret", "Upstash-Forward-X-Open": "open" };
    await schedule(
      w,
      { ...named, ...headers, [HEADER.redactFields]: "body,header[X-Key]", [HEADER.delay]: "1m" },
      "secret",
    );
    const redacted = {
      body: expect.stringMatching(/^REDACTED:[0-9a-f]{64}$/),
      header: { "X-Key": [expect.stringMatching(/^REDACTED:/)], "X-Open": ["open"] },
    };
    expect(await viewOf(w)).toMatchObject(redacted);
    w.clock.advance(MINUTE);
    await w.engine.idle();
    const [id] = Object.keys((await viewOf(w)).lastScheduleStates);
    expect((await w.ask("GET", `/v2/messages/${id}`)).body).toMatchObject({ ...redacted, scheduleId: "s" });
    await w.drain(START + 2 * MINUTE);
    expect(w.calls[0]?.text).toBe("secret");
    expect(w.calls[0]?.headers.get("x-key")).toBe("secret");
  });

  it("keeps a body that isn't text", async () => {
    const w = world();
    const bytes = new Uint8Array([0, 255, 254]);
    await w.ask("POST", "/v2/schedules/https://a.test", {
      headers: { ...EVERY_MINUTE, ...named },
      body: bytes,
    });
    expect(await viewOf(w)).toMatchObject({ bodyBase64: "AP/+" });
  });

  it("ticks by the clock of its zone, where that is put forward", async () => {
    const clockStart = Date.UTC(2030, 2, 30, 12);
    const w = world();
    w.clock.advance(clockStart - START);
    await schedule(w, { ...named, [HEADER.cron]: "CRON_TZ=Europe/Berlin 30 2 * * *" });
    await w.drain(Date.UTC(2030, 3, 2));
    expect(w.calls.map(({ at }) => new Date(at).toISOString().slice(0, 16))).toEqual([
      "2030-03-31T01:00",
      "2030-04-01T00:30",
    ]);
  });
});

describe("limits of schedules", () => {
  it("refuse one too many, but not a change", async () => {
    const w = world(undefined, { limits: { schedules: 1 } });
    await schedule(w, named);
    expect(await schedule(w)).toMatchObject({
      status: 412,
      body: { error: "schedule limit reached (1)" },
    });
    expect((await schedule(w, named, "again")).status).toBe(200);
    await w.ask("DELETE", "/v2/schedules/s");
    expect((await schedule(w)).status).toBe(200);
  });
});

describe("a schedule, after a crash", () => {
  const machine = useMachine();

  it("makes up once for the ticks that were missed, and goes on", async () => {
    const w = machine().boot(() => ok());
    await schedule(w, { ...named, [HEADER.cron]: "*/10 * * * *" });
    await crash(w);
    machine().clock.advance(35 * MINUTE);
    const again = machine().boot(() => ok());
    await again.drain(START + 50 * MINUTE);
    expect(times(again)).toEqual([35, 40, 50].map((minutes) => minutes * MINUTE));
    await crash(again);
  });

  it("makes up for nothing while it is paused", async () => {
    const w = machine().boot(() => ok());
    await schedule(w, named);
    await w.ask("PATCH", "/v2/schedules/s/pause");
    await crash(w);
    machine().clock.advance(HOUR);
    const again = machine().boot(() => ok());
    await again.drain();
    expect(again.calls).toEqual([]);
    await crash(again);
  });

  it("sends each message once as it were: what was under way is sent again with the same id", async () => {
    const w = machine().boot(() => new Promise<Response>(() => {}));
    await schedule(w, named);
    machine().clock.advance(MINUTE);
    while (w.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await crash(w);
    const again = machine().boot(() => ok());
    await again.drain(machine().clock.now() + 1000);
    const ids = [...w.calls, ...again.calls].map((call) => call.headers.get(HEADER.messageId));
    expect(ids).toEqual([ids[0], ids[0]]);
    await crash(again);
  });
});
