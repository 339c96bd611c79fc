import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  APP,
  decode,
  type Endpoint,
  failed,
  isFailure,
  ok,
  START,
  sequence,
  type World,
  world,
} from "../harness.ts";

const later = { [HEADER.delay]: "1d" };

const publish = async (w: World, name: string, headers: Record<string, string> = {}, body = "") =>
  (await w.ask("POST", `/v2/publish/https://a.test/${name}`, { headers, body })).body.messageId as string;

const logs = async (w: World, query = ""): Promise<Answer["body"][]> =>
  (await w.ask("GET", `/v2/logs${query}`)).body.logs;

/** States in the order in which they came. */
const statesOf = async (w: World, messageId: string): Promise<string[]> =>
  (await logs(w, `?messageId=${messageId}&order=earliestFirst`)).map(({ state }) => state);

const answering =
  (...statuses: number[]): Endpoint =>
  () =>
    new Response("said", { status: statuses.shift() ?? 200, headers: { "X-A": "1" } });

describe("the log of messages", () => {
  it("tells of a delivery", async () => {
    const w = world(answering());
    const id = await publish(w, "x", { [HEADER.delay]: "1s" });
    expect(await statesOf(w, id)).toEqual(["CREATED"]);
    await w.drain();
    expect(await statesOf(w, id)).toEqual(["CREATED", "ACTIVE", "DELIVERED"]);
  });

  it("tells of each attempt, and of what came of it", async () => {
    const w = world(answering(500, 503));
    const id = await publish(w, "x", { [HEADER.retryDelay]: "1000" });
    await w.drain();
    const all = await logs(w, `?messageId=${id}&order=earliestFirst`);
    expect(all.map(({ state, time }) => [state, time - START])).toEqual([
      ["CREATED", 0],
      ["ACTIVE", 0],
      ["ERROR", 0],
      ["RETRY", 0],
      ["ACTIVE", 1000],
      ["ERROR", 1000],
      ["RETRY", 1000],
      ["ACTIVE", 2000],
      ["DELIVERED", 2000],
    ]);
    expect(all[2]).toMatchObject({
      error: "the endpoint answered 500",
      responseStatus: 500,
      responseBody: Buffer.from("said").toString("base64"),
      responseHeaders: { "X-A": ["1"] },
    });
    expect(all[5].responseStatus).toBe(503);
    expect(all[3]).toMatchObject({ nextDeliveryTime: START + 1000 });
    for (const other of [all[0], all[1], all[3], all[8]]) expect(other).not.toHaveProperty("responseStatus");
  });

  it("tells of a failure for good, and of its report", async () => {
    const w = world((call) => (call.url.endsWith("/f") ? ok() : failed(500, "boom")));
    const id = await publish(w, "x", {
      [HEADER.retries]: "0",
      [HEADER.failureCallback]: "https://a.test/f",
      "Upstash-Failure-Callback-Forward-My-Header": "w",
    });
    await w.engine.idle();
    expect(await statesOf(w, id)).toEqual(["CREATED", "ACTIVE", "ERROR", "FAILED"]);
    const [last] = await logs(w, `?messageId=${id}`);
    expect(last).toMatchObject({
      error: "the endpoint answered 500",
      failureCallback: "https://a.test/f",
      failureCallbackHeaders: { "My-Header": ["w"] },
    });
    expect(last).not.toHaveProperty("responseStatus");
    const [report] = await logs(w, "?url=https://a.test/f&state=CREATED");
    expect(await statesOf(w, report.messageId)).toEqual(["CREATED", "ACTIVE", "DELIVERED"]);
  });

  it("has a status in any case", async () => {
    const w = world(() => Promise.reject(new Error("no such host")));
    const id = await publish(w, "x", { [HEADER.retries]: "0" });
    await w.engine.idle();
    expect(await logs(w, `?messageId=${id}&state=ERROR`)).toMatchObject([
      { responseStatus: 0, error: "no such host", responseBody: "", responseHeaders: {} },
    ]);
  });

  it("tells of what was taken back", async () => {
    const w = world();
    const id = await publish(w, "x", later);
    await w.ask("DELETE", `/v2/messages/${id}`);
    expect(await statesOf(w, id)).toEqual(["CREATED", "CANCEL_REQUESTED", "CANCELLED"]);
  });

  it("shows of a message what it is", async () => {
    const w = world();
    const messageId = await publish(
      w,
      "x?y=1",
      {
        ...later,
        "Content-Type": "text/plain",
        "Upstash-Forward-X-A": "1",
        [HEADER.label]: "one,two",
        [HEADER.timeout]: "30s",
        [HEADER.retries]: "7",
        [HEADER.retryDelay]: "1000 * retried",
        [HEADER.flowControlKey]: "key",
        [HEADER.flowControlValue]: "rate=3,period=1m",
      },
      "héllo",
    );
    const { body } = await w.ask("GET", "/v2/events");
    expect(body).toEqual({
      events: [
        {
          time: START,
          state: "CREATED",
          messageId,
          url: "https://a.test/x?y=1",
          method: "POST",
          header: { "Content-Type": ["text/plain"], "X-A": ["1"] },
          body: Buffer.from("héllo").toString("base64"),
          maxRetries: 7,
          notBefore: START + 86_400_000,
          nextDeliveryTime: START + 86_400_000,
          createdAt: START,
          callerIP: "127.0.0.1",
          callerIp: "127.0.0.1",
          timeout: 30_000,
          retryDelayExpression: "1000 * retried",
          retryDelayExpr: "1000 * retried",
          label: "one",
          labels: ["one", "two"],
          flowControlKey: "key",
          rate: 3,
          period: 60,
        },
      ],
    });
  });

  it("shows hashes of what is to be redacted", async () => {
    const w = world(answering(500));
    await publish(
      w,
      "x",
      {
        "Upstash-Forward-X-Secret": "s",
        "Upstash-Forward-X-Open": "o",
        [HEADER.redactFields]: "body,header[x-secret]",
        [HEADER.retries]: "0",
      },
      "hi",
    );
    await w.engine.idle();
    const hidden = {
      body: "REDACTED:8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4",
      header: {
        "X-Secret": ["REDACTED:043a718774c572bd8a25adbeb1bfcd5c0256ae11cecf9f9c3f925d0e52beaf89"],
        "X-Open": ["o"],
      },
    };
    const all = await logs(w);
    expect(all).toHaveLength(4);
    for (const entry of all) expect(entry).toMatchObject(hidden);
    const letters = await w.deadLetters();
    expect(letters).toMatchObject([hidden]);
    expect((await w.ask("GET", `/v2/dlq/${letters[0].dlqId}`)).body).toMatchObject(hidden);
    expect(w.calls[0]?.text).toBe("hi");
  });

  it("tells of a run's calls and failure reports, not of its steps", async () => {
    let fail = (): void => {};
    const asked = new Promise<void>((resolve) => {
      fail = resolve;
    });
    const w = world(async (call) => {
      if (isFailure(call)) return ok();
      await asked;
      return failed(500, "boom");
    });
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await w.ask("POST", "/v2/publish/https://third.test/", {
      headers: {
        [HEADER.runId]: "wfr_1",
        [HEADER.callType]: "toCallback",
        [HEADER.callback]: APP,
        [HEADER.delay]: "1d",
        "Upstash-Callback-Forward-Upstash-Workflow-StepId": "1",
      },
      body: "asked",
    });
    fail();
    await w.engine.idle();
    const all = await logs(w, "?order=earliestFirst");
    expect(all.map(({ url, state }) => [url, state])).toEqual([
      ["https://third.test/", "CREATED"],
      ["https://third.test/", "CANCELLED"],
      [APP, "CREATED"],
      [APP, "ACTIVE"],
      [APP, "DELIVERED"],
    ]);
    expect(decode(all[0].body)).toBe("asked");
    for (const entry of all) expect(entry).toMatchObject({ workflowRunId: "wfr_1", workflowUrl: APP });
  });

  it("tells how calls end", async () => {
    const w = world(async (call, self) => {
      if (call.url.startsWith("https://third.test/")) return failed(500, "no");
      return sequence(0)(call, self);
    });
    await w.start("wfr_1", later);
    await w.ask("POST", "/v2/publish/https://third.test/", {
      headers: {
        [HEADER.runId]: "wfr_1",
        [HEADER.callType]: "toCallback",
        [HEADER.callback]: APP,
        "Upstash-Callback-Forward-Upstash-Workflow-StepId": "1",
      },
    });
    await w.engine.idle();
    expect((await logs(w, "?url=https://third.test/")).map(({ state }) => state)).toEqual([
      "FAILED",
      "ERROR",
      "ACTIVE",
      "CREATED",
    ]);
  });
});

describe("the list of log entries", () => {
  const many = async (): Promise<World> => {
    const w = world((call) => (call.url.includes("bad") ? failed(500, "no") : ok()));
    await publish(w, "good/1,2?q=1", { [HEADER.label]: "one,both" });
    await w.engine.idle();
    w.clock.advance(1000);
    await publish(w, "bad", {
      [HEADER.label]: "two,both",
      [HEADER.retries]: "1",
      [HEADER.retryDelay]: "60000",
      [HEADER.flowControlKey]: "key",
      [HEADER.flowControlValue]: "parallelism=1",
    });
    await w.engine.idle();
    return w;
  };
  const GOOD = ["CREATED", "ACTIVE", "DELIVERED"];
  const BAD = ["CREATED", "ACTIVE", "ERROR", "RETRY"];

  it.each([
    ["", [...GOOD, ...BAD]],
    ["url=https://a.test/good/1,2?q=1".replace("?q", "%3Fq"), GOOD],
    ["url=https://a.test/bad", BAD],
    ["url=https://a.test/bad&url=https://a.test/good/1,2%3Fq=1", [...GOOD, ...BAD]],
    ["host=a.test", [...GOOD, ...BAD]],
    ["host=b.test", []],
    ["path=/good/1,2", GOOD],
    ["path=/good", []],
    ["label=one", GOOD],
    ["label=one,two", [...GOOD, ...BAD]],
    ["label=one&label=none", GOOD],
    ["flowControlKey=key", BAD],
    ["callerIp=127.0.0.1", [...GOOD, ...BAD]],
    ["callerIp=10.0.0.1", []],
    ["state=DELIVERED", ["DELIVERED"]],
    ["state=ERROR,RETRY", ["ERROR", "RETRY"]],
    ["state=IN_PROGRESS", ["ACTIVE", "ACTIVE", "ERROR", "RETRY"]],
    ["state=CANCELED", []],
    [`fromDate=${START + 1000}`, BAD],
    [`toDate=${START + 999}`, GOOD],
    [`fromDate=${START}&toDate=${START}`, GOOD],
    ["label=both&state=ACTIVE&host=a.test", ["ACTIVE", "ACTIVE"]],
    ["topicName=t", []],
    ["scheduleId=s", []],
    ["queueName=q", []],
    ["messageId=none", []],
    ["messageIds=none&label=one", []],
  ])("is filtered by %s", async (query, states) => {
    const w = await many();
    expect((await logs(w, `?${query}&order=earliestFirst`)).map(({ state }) => state)).toEqual(states);
    const newest = await logs(w, `?${query}`);
    expect(newest.map(({ state }) => state)).toEqual([...states].reverse());
  });

  it("takes several ids, however they are given, and then nothing else counts", async () => {
    const w = world();
    const ids = [await publish(w, "1", later), await publish(w, "2", later), await publish(w, "3", later)];
    const found = async (query: string) => (await logs(w, query)).map(({ messageId }) => messageId);
    expect(await found(`?messageIds=${ids[0]},${ids[2]}`)).toEqual([ids[2], ids[0]]);
    expect(await found(`?messageIds=${ids[0]}&messageIds=${ids[2]}&label=none&fromDate=1&toDate=2`)).toEqual([
      ids[2],
      ids[0],
    ]);
    expect(await found(`?messageId=${ids[1]}`)).toEqual([ids[1]]);
  });

  it("comes in pages, in both directions; the last one has no cursor", async () => {
    const w = await many();
    for (const order of ["latestFirst", "earliestFirst"]) {
      const whole = await logs(w, `?order=${order}`);
      const first = (await w.ask("GET", `/v2/logs?order=${order}&count=4`)).body;
      const second = (await w.ask("GET", `/v2/logs?order=${order}&count=4&cursor=${first.cursor}`)).body;
      expect([...first.logs, ...second.logs]).toEqual(whole);
      expect(second).toEqual({ logs: whole.slice(4) });
    }
    const exact = (await w.ask("GET", "/v2/events?count=7")).body;
    expect(exact.events).toHaveLength(7);
    expect(exact).not.toHaveProperty("cursor");
  });

  it("has a hundred on a page, a thousand at most", async () => {
    const w = world();
    const items = Array.from({ length: 600 }, () => ({ destination: "https://a.test/", body: "" }));
    for (let turn = 0; turn < 2; turn++) {
      await w.ask("POST", "/v2/batch", {
        body: JSON.stringify(items.map((item) => ({ ...item, headers: later }))),
      });
    }
    expect(await logs(w)).toHaveLength(100);
    expect(await logs(w, "?count=5000")).toHaveLength(1000);
  });

  it("has shorter pages where the bodies are large", async () => {
    const w = world();
    const body = "x".repeat(9 * 1024 * 1024);
    for (let at = 0; at < 5; at++) await publish(w, `${at}`, later, body);
    const first = (await w.ask("GET", "/v2/logs")).body;
    expect(first.logs.length).toBeLessThan(5);
    const second = (await w.ask("GET", `/v2/logs?cursor=${first.cursor}`)).body;
    expect(first.logs.length + second.logs.length).toBe(5);
    expect(second).not.toHaveProperty("cursor");
  });

  it("takes a time for a cursor, as old clients begin with one", async () => {
    const w = await many();
    expect(await logs(w, `?cursor=${START}`)).toHaveLength(3);
    expect(await logs(w, `?cursor=${START + 5000}&toDate=${START}`)).toHaveLength(3);
  });
});
