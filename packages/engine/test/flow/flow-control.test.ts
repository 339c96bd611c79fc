import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { useMachine } from "../crashing.ts";
import { type Endpoint, failed, ok, START, until, type World, world } from "../harness.ts";

const KEY = "/v2/flowControl/k";
const SECONDS = START / 1000;

const publish = (w: World, value: string, more: Record<string, string> = {}, key = "k") =>
  w.ask("POST", "/v2/publish/https://a.test/", {
    headers: { [HEADER.flowControlKey]: key, [HEADER.flowControlValue]: value, ...more },
  });

const flowOf = async (w: World) => (await w.ask("GET", KEY)).body;
const change = async (w: World, action: string) => (await w.ask("POST", `${KEY}/${action}`)).status;
const times = (w: World) => w.calls.map((call) => call.at - START);

function held() {
  const open: (() => void)[] = [];
  const endpoint: Endpoint = () => new Promise((resolve) => open.push(() => resolve(ok())));
  return { open, endpoint };
}

describe("a flow control key", () => {
  it("is there as soon as a message has used it, with every number", async () => {
    const w = world();
    expect((await w.ask("GET", KEY)).status).toBe(404);
    await publish(w, "parallelism=3", { [HEADER.delay]: "1h" });
    expect(await flowOf(w)).toEqual({
      flowControlKey: "k",
      waitListSize: 0,
      parallelismMax: 3,
      parallelismCount: 0,
      rateMax: 0,
      rateCount: 0,
      ratePeriod: 0,
      ratePeriodStart: 0,
      isPaused: false,
      isPinnedParallelism: false,
      isPinnedRate: false,
    });
  });

  it("counts what is under way, has begun, and waits", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    for (let at = 0; at < 5; at++) await publish(w, "parallelism=2,rate=10,period=1m");
    await until(async () => (await flowOf(w)).waitListSize === 3);
    expect(await flowOf(w)).toMatchObject({
      waitListSize: 3,
      parallelismMax: 2,
      parallelismCount: 2,
      rateMax: 10,
      rateCount: 2,
      ratePeriod: 60,
      ratePeriodStart: SECONDS,
    });
    gate.open.shift()?.();
    await until(() => gate.open.length === 2);
    expect(await flowOf(w)).toMatchObject({ waitListSize: 2, parallelismCount: 2, rateCount: 3 });
  });

  it("is listed by its name, or a part of that", async () => {
    const w = world();
    for (const key of ["b.two", "a.one", "b_%"])
      await publish(w, "rate=1", { [HEADER.delay]: "1h" }, key.replace("%", "1"));
    const keys = async (query = "") =>
      (await w.ask("GET", `/v2/flowControl${query}`)).body.map(
        (flow: { flowControlKey: string }) => flow.flowControlKey,
      );
    expect(await keys()).toEqual(["a.one", "b.two", "b_1"]);
    expect(await keys("?search=b.")).toEqual(["b.two"]);
    expect(await keys("?search=_")).toEqual(["b_1"]);
    expect(await keys("?search=%25")).toEqual([]);
  });

  it("counts by the clock: to the millisecond at the edges of its period", async () => {
    const w = world();
    for (let at = 0; at < 5; at++) await publish(w, "rate=2,period=10s");
    await w.engine.idle();
    expect(await flowOf(w)).toMatchObject({ rateCount: 2, waitListSize: 3 });
    w.clock.advance(9_999);
    await w.engine.idle();
    expect(await flowOf(w)).toMatchObject({ rateCount: 2, waitListSize: 3, ratePeriodStart: SECONDS });
    w.clock.advance(1);
    await w.engine.idle();
    expect(await flowOf(w)).toMatchObject({ rateCount: 2, waitListSize: 1, ratePeriodStart: SECONDS + 10 });
    w.clock.advance(10_000);
    await w.engine.idle();
    expect(times(w)).toEqual([0, 0, 10_000, 10_000, 20_000]);
    expect(await flowOf(w)).toMatchObject({ rateCount: 1, waitListSize: 0, ratePeriodStart: SECONDS + 20 });
    w.clock.advance(10_000);
    expect(await flowOf(w)).toMatchObject({ rateCount: 0, ratePeriodStart: SECONDS + 20 });
  });

  it("has its period begin with the first delivery in it", async () => {
    const w = world();
    await publish(w, "rate=2,period=10s");
    await w.engine.idle();
    w.clock.advance(12_000);
    for (let at = 0; at < 3; at++) await publish(w, "rate=2,period=10s");
    await w.drain();
    expect(times(w)).toEqual([0, 12_000, 12_000, 22_000]);
  });

  it("takes tokens for retries too", async () => {
    const w = world(() => failed(500, "x"));
    await publish(w, "rate=1,period=1m", { [HEADER.retries]: "2", [HEADER.retryDelay]: "1000" });
    await w.drain();
    expect(times(w)).toEqual([0, 60_000, 120_000]);
  });

  it("lets nothing through while it is paused, and its period goes on", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    await publish(w, "rate=1,period=1m");
    await until(() => gate.open.length === 1);
    expect(await change(w, "pause")).toBe(200);
    await publish(w, "rate=1,period=1m");
    gate.open.shift()?.();
    await w.engine.idle();
    w.clock.advance(600_000);
    await w.engine.idle();
    expect(await flowOf(w)).toMatchObject({ isPaused: true, waitListSize: 1, rateCount: 0 });
    expect(w.calls).toHaveLength(1);
    expect(await change(w, "resume")).toBe(200);
    await until(() => w.calls.length === 2);
    expect(await flowOf(w)).toMatchObject({ isPaused: false, waitListSize: 0, rateCount: 1 });
  });

  it("that is paused while some wait for the next period wakes nobody", async () => {
    const w = world();
    for (let at = 0; at < 3; at++) await publish(w, "rate=1,period=1m");
    await w.engine.idle();
    await change(w, "pause");
    await w.drain();
    expect(times(w)).toEqual([0]);
    w.clock.advance(30_000);
    await change(w, "resume");
    await w.drain();
    // The dispatcher had a timer for the next period: the clock stands at its beginning.
    expect(times(w)).toEqual([0, 90_000, 150_000]);
  });

  it("may be paused before the first message", async () => {
    const w = world();
    expect(await change(w, "pause")).toBe(200);
    await publish(w, "parallelism=1");
    await w.engine.idle();
    expect(w.calls).toEqual([]);
    expect(await flowOf(w)).toMatchObject({ isPaused: true, parallelismMax: 1, waitListSize: 1 });
  });

  it("keeps what is pinned, whatever later messages say, until it is unpinned and one says otherwise", async () => {
    const w = world();
    await publish(w, "parallelism=1,rate=1,period=1m");
    expect(await change(w, "pin?parallelism=7")).toBe(200);
    await publish(w, "parallelism=2,rate=2,period=2m", { [HEADER.delay]: "1d" });
    const pinned = { parallelismMax: 7, isPinnedParallelism: true };
    expect(await flowOf(w)).toMatchObject({ ...pinned, rateMax: 2, ratePeriod: 120, isPinnedRate: false });
    await change(w, "pin?rate=9&period=30");
    await publish(w, "parallelism=3,rate=3,period=3m", { [HEADER.delay]: "1d" });
    expect(await flowOf(w)).toMatchObject({ ...pinned, rateMax: 9, ratePeriod: 30, isPinnedRate: true });
    await change(w, "unpin?parallelism=true");
    expect(await flowOf(w)).toMatchObject({
      parallelismMax: 7,
      isPinnedParallelism: false,
      isPinnedRate: true,
    });
    await publish(w, "parallelism=4,rate=4,period=4m", { [HEADER.delay]: "1d" });
    expect(await flowOf(w)).toMatchObject({ parallelismMax: 4, rateMax: 9, ratePeriod: 30 });
    await change(w, "unpin?rate=true&parallelism=false");
    await publish(w, "parallelism=5", { [HEADER.delay]: "1d" });
    expect(await flowOf(w)).toMatchObject({
      parallelismMax: 5,
      rateMax: 0,
      ratePeriod: 0,
      isPinnedRate: false,
    });
  });

  it("that is pinned lets go at once what that admits, and counts anew", async () => {
    const w = world();
    for (let at = 0; at < 9; at++) await publish(w, "rate=1,period=1h");
    await w.engine.idle();
    w.clock.advance(1000);
    await change(w, "pin?rate=3");
    await w.engine.idle();
    expect(times(w)).toEqual([0, 1000, 1000, 1000]);
    expect(await flowOf(w)).toMatchObject({ rateCount: 3, rateMax: 3, ratePeriodStart: SECONDS + 1 });
    await change(w, "pin?period=10");
    await w.drain();
    expect(times(w).slice(4)).toEqual([1000, 1000, 1000, 11_000, 11_000]);
  });

  it.each(["resetRate", "reset"])("has a new period after %s", async (action) => {
    const w = world();
    for (let at = 0; at < 4; at++) await publish(w, "rate=1,period=1h");
    await w.engine.idle();
    w.clock.advance(60_000);
    expect(await change(w, action)).toBe(200);
    await w.engine.idle();
    expect(times(w)).toEqual([0, 60_000]);
    expect(await flowOf(w)).toMatchObject({ rateCount: 1, ratePeriodStart: SECONDS + 60 });
    await w.drain();
    expect(times(w)).toEqual([0, 60_000, 3_660_000, 7_260_000]);
  });

  it("that is changed by a message for later lets go those that wait now", async () => {
    const gate = held();
    const w = world(gate.endpoint);
    for (let at = 0; at < 3; at++) await publish(w, "parallelism=1");
    await until(() => gate.open.length === 1);
    await publish(w, "parallelism=3", { [HEADER.delay]: "1d" });
    await until(() => gate.open.length === 3);
  });
});

describe("flow control, after a crash", () => {
  const machine = useMachine();

  it("is as it was: paused, pinned, and in the same period", async () => {
    const w = machine().boot(() => ok());
    for (let at = 0; at < 3; at++) await publish(w, "rate=2,period=1h");
    await w.engine.idle();
    await change(w, "pin?parallelism=9");
    await w.engine.idle();
    await change(w, "pause");
    const before = await flowOf(w);
    void w.engine.stop({ deadline: 0 });
    await w.store.close();
    const again = machine().boot(() => ok());
    expect(await flowOf(again)).toEqual(before);
    await again.store.close();
  });
});

describe("global parallelism", () => {
  it("is how many may be under way, and how many are", async () => {
    const gate = held();
    const w = world(gate.endpoint, { limits: { parallelism: 3 } });
    const global = async () => (await w.ask("GET", "/v2/globalParallelism")).body;
    expect(await global()).toEqual({ parallelismMax: 3, parallelismCount: 0 });
    for (let at = 0; at < 8; at++) await w.ask("POST", `/v2/publish/https://a.test/${at}`);
    await until(() => gate.open.length === 3);
    expect(await global()).toEqual({ parallelismMax: 3, parallelismCount: 3 });
    for (let done = 3; done < 8; done++) {
      gate.open.shift()?.();
      await until(() => w.calls.length === done + 1);
      expect((await global()).parallelismCount).toBe(3);
    }
    for (const open of gate.open) open();
    await w.engine.idle();
    expect(await global()).toEqual({ parallelismMax: 3, parallelismCount: 0 });
  });

  it("is what the engine can do, where it isn't limited", async () => {
    const w = world(undefined, { concurrency: 5, calls: 7 });
    expect((await w.ask("GET", "/v2/globalParallelism")).body.parallelismMax).toBe(12);
  });
});
