import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { useMachine } from "../crashing.ts";
import { APP, type Endpoint, failed, ofRun, ok, START, until, type World, world } from "../harness.ts";

const QUEUE = "/v2/queues/q";

const enqueue = (w: World, name: string, headers: Record<string, string> = {}, queue = "q") =>
  w.ask("POST", `/v2/enqueue/${queue}/https://a.test/${name}`, { headers, body: name });

const put = (w: World, body: object) => w.ask("POST", "/v2/queues", { body: JSON.stringify(body) });

const queueOf = async (w: World, name = "q") => (await w.ask("GET", `/v2/queues/${name}`)).body;

const names = (w: World) => w.calls.map((call) => call.url.slice("https://a.test/".length));

/** An endpoint that answers when it is told to. */
function held() {
  const open: (() => void)[] = [];
  const endpoint: Endpoint = () => new Promise((resolve) => open.push(() => resolve(ok())));
  return { open, endpoint };
}

describe("a queue", () => {
  it("has one message on its way at a time, in the order in which they came", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    for (const name of ["1", "2", "3"]) expect((await enqueue(w, name)).status).toBe(200);
    for (let turn = 1; turn <= 3; turn++) {
      await until(() => gate.open.length === 1);
      expect(w.calls).toHaveLength(turn);
      expect(await queueOf(w)).toMatchObject({ parallelism: 1, lag: 4 - turn });
      gate.open.shift()?.();
    }
    await w.engine.idle();
    expect(names(w)).toEqual(["1", "2", "3"]);
    expect(await queueOf(w)).toEqual({
      name: "q",
      createdAt: START,
      updatedAt: START,
      parallelism: 1,
      paused: false,
      lag: 0,
    });
  });

  it("waits for the retries of the first", async () => {
    let failures = 2;
    const w = world((call) => (call.url.endsWith("bad") && failures-- > 0 ? failed(500, "x") : ok()));
    await enqueue(w, "bad", { [HEADER.retryDelay]: "60000" });
    await enqueue(w, "good");
    await w.drain();
    expect(w.calls.map((call) => [call.url.slice(15), call.at - START])).toEqual([
      ["bad", 0],
      ["bad", 60_000],
      ["bad", 120_000],
      ["good", 120_000],
    ]);
  });

  it("waits for the report of the first one's failure, and for its retries", async () => {
    let reports = 0;
    const w = world((call) => {
      if (call.url === "https://b.test/report") return ++reports < 3 ? failed(500, "x") : ok();
      return call.url.endsWith("bad") ? failed(500, "x") : ok();
    });
    await enqueue(w, "bad", {
      [HEADER.retries]: "1",
      [HEADER.retryDelay]: "1000",
      [HEADER.failureCallback]: "https://b.test/report",
      "Upstash-Failure-Callback-Retries": "5",
      "Upstash-Failure-Callback-Retry-Delay": "60000",
    });
    await enqueue(w, "good");
    await w.drain();
    expect(w.calls.map((call) => [call.url.slice(8), call.at - START])).toEqual([
      ["a.test/bad", 0],
      ["a.test/bad", 1000],
      ["b.test/report", 1000],
      ["b.test/report", 61_000],
      ["b.test/report", 121_000],
      ["a.test/good", 121_000],
    ]);
    expect(await queueOf(w)).toMatchObject({ lag: 0 });
  });

  it("waits for the reports of each attempt, and for what reports those", async () => {
    let attempts = 0;
    const w = world((call) => {
      if (call.url === "https://b.test/each") return failed(500, "x");
      return call.url.endsWith("bad") && ++attempts < 2 ? failed(500, "x") : ok();
    });
    await enqueue(w, "bad", {
      [HEADER.retryDelay]: "1000",
      [HEADER.callback]: "https://b.test/each",
      "Upstash-Callback-Retries": "1",
      "Upstash-Callback-Retry-Delay": "60000",
      "Upstash-Callback-Failure-Callback": "https://c.test/lost",
      "Upstash-Callback-Failure-Callback-Delay": "10m",
    });
    await enqueue(w, "good");
    await w.drain();
    expect(w.calls.map((call) => [call.url.slice(8), call.at - START])).toEqual([
      ["a.test/bad", 0],
      ["b.test/each", 0],
      ["a.test/bad", 1000],
      ["b.test/each", 1000],
      ["b.test/each", 60_000],
      ["b.test/each", 61_000],
      ["c.test/lost", 660_000],
      ["c.test/lost", 661_000],
      ["a.test/good", 661_000],
    ]);
    expect(await queueOf(w)).toMatchObject({ lag: 0 });
  });

  it("has the messages to a URL group follow each other", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    const endpoints = [{ url: "https://a.test/1", name: "one" }, { url: "https://a.test/2" }];
    await w.ask("POST", "/v2/topics/group/endpoints", { body: JSON.stringify({ endpoints }) });
    const { body } = await w.ask("POST", "/v2/enqueue/q/group");
    expect(body).toMatchObject([{ url: "https://a.test/1" }, { url: "https://a.test/2" }]);
    await until(() => gate.open.length === 1);
    expect(await queueOf(w)).toMatchObject({ lag: 2 });
    gate.open.shift()?.();
    await until(() => w.calls.length === 2);
    expect(names(w)).toEqual(["1", "2"]);
  });

  it("goes on when its messages are taken back by its name", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    for (const name of ["1", "2", "3"]) await enqueue(w, name);
    await enqueue(w, "other", {}, "other");
    await until(() => gate.open.length === 2);
    expect((await w.ask("DELETE", "/v2/messages?queueName=q")).body).toEqual({ cancelled: 3 });
    expect(await queueOf(w)).toMatchObject({ lag: 0 });
    expect(await queueOf(w, "other")).toMatchObject({ lag: 1 });
    await enqueue(w, "4");
    await until(() => gate.open.length === 3);
    expect(names(w).sort()).toEqual(["1", "4", "other"]);
  });

  it("goes on after a failure of which nobody is told", async () => {
    const w = world((call) => (call.url.endsWith("bad") ? failed(500, "x") : ok()));
    await enqueue(w, "bad", { [HEADER.retries]: "0" });
    await enqueue(w, "good");
    await w.drain();
    expect(names(w)).toEqual(["bad", "good"]);
    expect(await w.deadLetters()).toMatchObject([{ queueName: "q", url: "https://a.test/bad" }]);
  });

  it("keeps a message's place while that is put off to later", async () => {
    const w = world();
    await enqueue(w, "later", { [HEADER.delay]: "1h" });
    await enqueue(w, "now");
    await w.drain();
    expect(w.calls.map((call) => [call.url.slice(15), call.at - START])).toEqual([
      ["later", 3_600_000],
      ["now", 3_600_000],
    ]);
  });

  it("has as many on their way as its parallelism says", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    await put(w, { queueName: "q", parallelism: 3 });
    for (let at = 0; at < 7; at++) await enqueue(w, String(at));
    await until(() => gate.open.length === 3);
    expect(names(w).sort()).toEqual(["0", "1", "2"]);
    gate.open.shift()?.();
    await until(() => w.calls.length === 4);
    expect(names(w).at(-1)).toBe("3");
    await put(w, { queueName: "q", parallelism: 5 });
    await until(() => w.calls.length === 6);
    await put(w, { queueName: "q", parallelism: 1 });
    for (let left = 4; left > 0; left--) gate.open.shift()?.();
    await until(() => w.calls.length === 6 && gate.open.length === 1);
    gate.open.shift()?.();
    await until(() => w.calls.length === 7);
    gate.open.shift()?.();
    await w.engine.idle();
    expect(await queueOf(w)).toMatchObject({ parallelism: 1, lag: 0 });
  });

  it("holds up no other, nor what is in none", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    for (const queue of ["a", "a", "b", "b"]) await enqueue(w, queue, {}, queue);
    await w.ask("POST", "/v2/publish/https://a.test/free");
    await until(() => gate.open.length === 3);
    expect(names(w).sort()).toEqual(["a", "b", "free"]);
  });

  it("begins nothing while it is paused, not even another attempt", async () => {
    let broken = true;
    const w = world(() => (broken ? failed(500, "x") : ok()));
    await enqueue(w, "1", { [HEADER.retryDelay]: "60000" });
    await enqueue(w, "2");
    await w.engine.idle();
    expect((await w.ask("POST", `${QUEUE}/pause`)).status).toBe(200);
    expect(await queueOf(w)).toMatchObject({ paused: true, lag: 2 });
    broken = false;
    await enqueue(w, "3");
    await w.drain();
    w.clock.advance(3_600_000);
    await w.engine.idle();
    expect(names(w)).toEqual(["1"]);
    expect((await w.ask("POST", `${QUEUE}/resume`)).status).toBe(200);
    await w.engine.idle();
    expect(names(w)).toEqual(["1", "1", "2", "3"]);
    expect(await queueOf(w)).toMatchObject({ paused: false, lag: 0 });
  });

  it("that is paused lets what is under way come to its end, and takes more", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    const { body } = await enqueue(w, "1");
    await until(() => gate.open.length === 1);
    await put(w, { queueName: "q", paused: true });
    await enqueue(w, "2");
    gate.open.shift()?.();
    await w.engine.idle();
    expect(names(w)).toEqual(["1"]);
    expect((await w.ask("GET", `/v2/messages/${body.messageId}`)).status).toBe(200);
    await put(w, { queueName: "q", parallelism: 1, paused: false });
    await until(() => gate.open.length === 1);
    expect(names(w)).toEqual(["1", "2"]);
  });

  it("goes on when what it waits for is taken back", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    const first = await enqueue(w, "1");
    await enqueue(w, "2");
    const third = await enqueue(w, "3");
    await enqueue(w, "4");
    await until(() => gate.open.length === 1);
    await w.ask("DELETE", `/v2/messages/${third.body.messageId}`);
    await w.ask("DELETE", `/v2/messages/${first.body.messageId}`);
    await until(() => gate.open.length === 2);
    for (const open of gate.open.splice(0)) open();
    await until(() => gate.open.length === 1);
    gate.open.shift()?.();
    await w.engine.idle();
    expect(names(w)).toEqual(["1", "2", "4"]);
  });

  it("that is deleted cancels what waits; what is under way goes on", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    const first = await enqueue(w, "1");
    const second = await enqueue(w, "2");
    await until(() => gate.open.length === 1);
    expect((await w.ask("DELETE", QUEUE)).status).toBe(200);
    expect((await w.ask("DELETE", QUEUE)).status).toBe(200);
    expect((await w.ask("GET", QUEUE)).status).toBe(404);
    expect((await w.ask("GET", `/v2/messages/${second.body.messageId}`)).status).toBe(404);
    const { logs } = (await w.ask("GET", `/v2/logs?messageId=${second.body.messageId}`)).body;
    expect(logs.map((entry: { state: string }) => entry.state)).toEqual([
      "CANCELLED",
      "CANCEL_REQUESTED",
      "CREATED",
    ]);
    await enqueue(w, "3");
    await until(() => gate.open.length === 2);
    for (const open of gate.open) open();
    await w.engine.idle();
    expect(names(w)).toEqual(["1", "3"]);
    expect((await w.ask("GET", `/v2/messages/${first.body.messageId}`)).status).toBe(200);
  });

  it("keeps to flow control as well", async () => {
    const w = world();
    const headers = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "rate=1,period=1m" };
    for (const name of ["1", "2", "3"]) await enqueue(w, name, headers);
    await w.ask("POST", "/v2/publish/https://a.test/free", { headers });
    await w.drain();
    const order = w.calls.map((call) => [call.url.slice(15), call.at - START]);
    expect(order.map(([, at]) => at)).toEqual([0, 60_000, 120_000, 180_000]);
    expect(names(w).filter((name) => name !== "free")).toEqual(["1", "2", "3"]);
  });

  it("is made by the first message in it, by whichever way that comes", async () => {
    const w = world();
    await w.ask("POST", "/v2/publish/https://a.test/1", { headers: { [HEADER.queueName]: "a" } });
    await w.ask("POST", "/v2/batch", {
      body: JSON.stringify([
        { destination: "https://a.test/2", queue: "b" },
        { destination: "https://a.test/3", headers: { "upstash-queue-name": "c" } },
        { destination: "https://a.test/4", queue: null },
      ]),
    });
    await w.ask("POST", "/v2/publish/https://a.test/5?upstash-queue-name=d");
    await w.engine.idle();
    expect(w.calls).toHaveLength(5);
    const { body } = await w.ask("GET", "/v2/queues");
    expect(body.map((queue: { name: string }) => queue.name)).toEqual(["a", "b", "c", "d"]);
  });

  it("isn't changed by messages: neither its parallelism nor its pause", async () => {
    const w = world();
    await put(w, { queueName: "q", parallelism: 4, paused: true });
    w.clock.advance(1000);
    await enqueue(w, "1");
    expect(await queueOf(w)).toEqual({
      name: "q",
      createdAt: START,
      updatedAt: START,
      parallelism: 4,
      paused: true,
      lag: 1,
    });
    await put(w, { queueName: "q", parallelism: 2 });
    expect(await queueOf(w)).toMatchObject({ parallelism: 2, paused: true, updatedAt: START + 1000 });
  });

  it("takes a destination as it was sent", async () => {
    const w = world();
    await w.ask("POST", "/v2/enqueue/my%2Dqueue/https://a.test//x//?a=1&upstash-retries=0&b=%2F");
    await w.engine.idle();
    expect(w.calls[0]?.url).toBe("https://a.test//x//?a=1&b=%2F");
    expect(await queueOf(w, "my-queue")).toMatchObject({ lag: 0 });
  });

  it("shows its name with its messages", async () => {
    const w = world();
    const { body } = await enqueue(w, "1", { [HEADER.delay]: "1h" });
    expect((await w.ask("GET", `/v2/messages/${body.messageId}`)).body).toMatchObject({ queueName: "q" });
  });
});

describe("limits of queues", () => {
  const limits = { queues: 2, queueParallelism: 3 };

  it("refuse one too many, but not a change", async () => {
    const w = world(undefined, { limits });
    await put(w, { queueName: "a" });
    await enqueue(w, "1", {}, "b");
    expect(await put(w, { queueName: "c" })).toMatchObject({
      status: 412,
      body: { error: "queue limit reached (2)" },
    });
    expect((await enqueue(w, "2", {}, "c")).status).toBe(412);
    const schedule = { [HEADER.cron]: "* * * * *", [HEADER.queueName]: "c" };
    expect((await w.ask("POST", "/v2/schedules/https://a.test", { headers: schedule })).status).toBe(412);
    expect((await w.ask("GET", "/v2/schedules")).body).toEqual([]);
    expect((await put(w, { queueName: "a", parallelism: 3 })).status).toBe(200);
    expect(await put(w, { queueName: "a", parallelism: 4 })).toMatchObject({
      status: 412,
      body: { error: "parallelism must be at most 3; got 4" },
    });
    const run = { destination: APP, headers: ofRun("wfr_1", "true"), body: "1" };
    const mixed = [run, { destination: "https://a.test/c", queue: "c" }];
    expect(await w.ask("POST", "/v2/batch", { body: JSON.stringify(mixed) })).toMatchObject({
      status: 200,
      body: [{ workflowRunId: "wfr_1" }, { error: expect.stringContaining("queue limit reached (2)") }],
    });
    const items = ["a", "c", "b"].map((queue) => ({ destination: `https://a.test/${queue}`, queue }));
    expect((await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) })).body).toMatchObject([
      { url: "https://a.test/a" },
      { error: "queue limit reached (2)" },
      { url: "https://a.test/b" },
    ]);
    await w.ask("DELETE", "/v2/queues/b");
    expect((await put(w, { queueName: "c" })).status).toBe(200);
    await w.engine.idle();
    expect(names(w)).toContain("a");
    expect(names(w)).not.toContain("c");
  });
});

describe("a queue, after a crash", () => {
  const machine = useMachine();

  it("has the same message's turn", async () => {
    const w = machine().boot(() => new Promise<Response>(() => {}));
    for (const name of ["1", "2"]) await enqueue(w, name);
    await until(() => w.calls.length === 1);
    void w.engine.stop({ deadline: 0 });
    await w.store.close();
    const again = machine().boot(() => ok());
    await again.drain();
    expect(names(again)).toEqual(["1", "2"]);
    expect(again.calls[0]?.headers.get(HEADER.retried)).toBe("0");
    expect(await queueOf(again)).toMatchObject({ lag: 0 });
    await again.store.close();
  });
});
