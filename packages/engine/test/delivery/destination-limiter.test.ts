import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { crash, useMachine } from "../crashing.ts";
import { APP, type Endpoint, ok, until, type World, world } from "../harness.ts";
import { done, inline } from "../inline/invocation.ts";

const DEAD = "https://dead.test/";
const WELL = "https://well.test/";
const dead: Endpoint = (call) => (call.url.startsWith(DEAD) ? new Promise<Response>(() => {}) : ok());

const publish = (w: World, url: string, count: number, headers: Record<string, string> = {}) =>
  w.ask("POST", "/v2/batch", {
    body: JSON.stringify(Array.from({ length: count }, (_, at) => ({ destination: `${url}${at}`, headers }))),
  });
const TEN_SECONDS = { [HEADER.timeout]: "10s", [HEADER.retries]: "0" };
/** Time enough for one too many. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const to = (w: World, url: string): string[] =>
  // Those that are begun together are sent as soon as each is signed.
  w.calls
    .filter((call) => call.url.startsWith(url))
    .map((call) => call.url.slice(url.length))
    .sort((a, b) => Number(a) - Number(b));

const machine = useMachine();

describe("a destination that doesn't answer", () => {
  it("has no more under way than is left free, whatever waits for it", async () => {
    const w = world(dead, { concurrency: 16 });
    await publish(w, DEAD, 1000);
    await until(() => to(w, DEAD).length === 8);
    await publish(w, WELL, 100);
    await until(() => to(w, WELL).length === 100);
    expect(to(w, DEAD)).toHaveLength(8);
    expect(to(w, WELL)).toEqual(Array.from({ length: 100 }, (_, at) => String(at)));
  });

  it("leaves room for others, where four are dead", async () => {
    const w = world((call) => (call.url.startsWith(WELL) ? ok() : new Promise<Response>(() => {})), {
      concurrency: 16,
    });
    for (const host of ["a", "b", "c", "d"]) await publish(w, `https://${host}.test/`, 50);
    await until(() => ["a", "b", "c", "d"].every((host) => to(w, `https://${host}.test/`).length > 0));
    await publish(w, WELL, 20);
    await until(() => to(w, WELL).length === 20);
    expect(w.calls.length).toBeLessThan(36);
  });

  it.each([
    [1, 200],
    [8, 100],
    [100, 20],
    [1000, 3],
  ])("holds up nobody, without time having to pass, where %i have %i messages each", async (hosts, count) => {
    const hang = new Set<string>();
    const w = world(({ url }) => {
      if (url === WELL) return ok();
      hang.add(url);
      return new Promise<Response>(() => {});
    });
    const many = Array.from({ length: hosts * count }, (_, at) => ({
      destination: `https://dead${at % hosts}.test/`,
    }));
    while (many.length > 0) {
      await w.ask("POST", "/v2/batch", { body: JSON.stringify(many.splice(0, 1000)) });
    }
    await until(() => hang.size === hosts);
    for (let at = 0; at < 3; at++) {
      await w.ask("POST", `/v2/publish/${WELL}`);
      await until(() => w.calls.filter(({ url }) => url === WELL).length === at + 1);
    }
  });

  it("has a quarter of all places together with all others that hang, once that is known", async () => {
    const w = world((call) => (call.url === WELL ? ok() : new Promise<Response>(() => {})), {
      concurrency: 16,
    });
    const items = Array.from({ length: 120 }, (_, at) => ({
      destination: `https://dead${at % 40}.test/`,
      headers: { ...TEN_SECONDS, [HEADER.retries]: "9", [HEADER.retryDelay]: "1" },
    }));
    await w.ask("POST", "/v2/batch", { body: JSON.stringify(items) });
    const ended = (): number => w.events.filter(({ type }) => type === "retrying").length;
    /** Until each of the 40 has been called, and has timed out. */
    const areKnown = (): boolean => new Set(w.calls.slice(0, ended()).map(({ url }) => url)).size === 40;
    let most = 0;
    for (let round = 0; round < 20 || !areKnown(); round++) {
      await settle();
      if (areKnown()) most = Math.max(most, w.calls.length - ended());
      else round = 0;
      w.clock.advance(10_000);
    }
    await until(() => {
      most = Math.max(most, w.calls.length - ended());
      return w.calls.length - ended() === 4;
    });
    expect(most).toBe(4);
    await w.ask("POST", `/v2/publish/${WELL}`);
    await until(() => w.calls.some(({ url }) => url === WELL));
  });

  it("has more and more under way again as it answers", async () => {
    let answers = false;
    const w = world(() => (answers ? ok() : new Promise<Response>(() => {})), { concurrency: 64 });
    await publish(w, DEAD, 40, { ...TEN_SECONDS, [HEADER.retries]: "1", [HEADER.retryDelay]: "1" });
    await until(() => w.calls.length === 32);
    w.clock.advance(10_000);
    await until(() => w.calls.length > 32);
    await settle();
    // One at a time, for as long as it hangs.
    expect(w.calls).toHaveLength(33);
    answers = true;
    w.clock.advance(10_000);
    await w.drain();
    expect(new Set(to(w, DEAD)).size).toBe(40);
    expect(await w.deadLetters()).toEqual([]);
  });

  it("gets twice as many places each time that all have answered, and no more than 512", async () => {
    const held: (() => void)[] = [];
    const w = world(() => new Promise<Response>((resolve) => held.push(() => resolve(ok()))));
    await publish(w, WELL, 1000);
    await publish(w, WELL, 500);
    for (const places of [256, 512, 512]) {
      await until(() => held.length === places);
      await settle();
      expect(held).toHaveLength(places);
      for (const answer of held.splice(0)) answer();
    }
    await until(() => held.length === 220);
    for (const answer of held) answer();
    await w.drain();
  });

  it("gets another place for the first step of each run in progress, and none for the next or for the run's end", async () => {
    const held: (() => void)[] = [];
    const hold = () => new Promise<void>((resolve) => held.push(resolve));
    const w = world(
      inline(async (invocation) => {
        await hold();
        for (const step of [1, 2]) await invocation.append([done(step)]);
        await hold();
        return invocation.returned(1);
      }),
    );
    const ids = Array.from({ length: 700 }, (_, at) => `run_${at}`);
    await Promise.all(ids.map((id) => w.engine.trigger({ url: APP, workflowRunId: id })));
    const goOn = async (count: number): Promise<void> => {
      for (const resolve of held.splice(0, count)) resolve();
      await settle();
    };
    await until(() => held.length === 256);
    await goOn(100);
    await until(() => w.calls.length === 356);
    // The hundred that wait before their ends.
    await until(() => held.length === 356);
    for (const resolve of held.splice(256, 100)) resolve();
    // Others have their places, which are as many as before.
    await until(() => w.calls.length === 456);
    await settle();
    expect(w.calls).toHaveLength(456);
    while (w.calls.length < 700 || held.length > 0) await goOn(700);
    await w.drain();
  });

  it("is called for all that waited, in order, as its attempts time out", async () => {
    const w = world(dead, { concurrency: 4 });
    await publish(w, DEAD, 9, TEN_SECONDS);
    // The attempts of the first two have timed out: one at a time has to do.
    for (const called of [2, 3, 4, 5, 6, 7, 8, 9]) {
      await until(() => to(w, DEAD).length === called);
      await settle();
      expect(to(w, DEAD)).toHaveLength(called);
      w.clock.advance(10_000);
    }
    await w.engine.idle();
    expect(to(w, DEAD)).toEqual(Array.from({ length: 9 }, (_, at) => String(at)));
    expect(await w.deadLetters()).toHaveLength(9);
    expect(w.clock.next()).toBeUndefined();
  });

  it("keeps nothing that was cancelled while it waited", async () => {
    const w = world(dead, { concurrency: 2 });
    const ids = (await publish(w, DEAD, 5, TEN_SECONDS)).body;
    await until(() => to(w, DEAD).length === 1);
    for (const { messageId } of ids.slice(1, 4)) {
      expect(await w.ask("DELETE", `/v2/messages/${messageId}`)).toMatchObject({ status: 200 });
    }
    w.clock.advance(10_000);
    await until(() => to(w, DEAD).length === 2);
    w.clock.advance(10_000);
    await w.engine.idle();
    expect(to(w, DEAD)).toEqual(["0", "4"]);
  });

  it("uses up a key's rate only once for each", async () => {
    const w = world(dead, { concurrency: 4 });
    const flow = { [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "rate=5,period=1h" };
    await publish(w, DEAD, 9, { ...flow, ...TEN_SECONDS });
    for (const called of [2, 3, 4, 5]) {
      await until(() => to(w, DEAD).length === called);
      w.clock.advance(10_000);
    }
    await w.engine.idle();
    expect(to(w, DEAD)).toEqual(["0", "1", "2", "3", "4"]);
  });

  it("is called after a restart for what had waited", async () => {
    const before = machine().boot(dead);
    await publish(before, DEAD, 400);
    await until(() => to(before, DEAD).length === 256);
    await crash(before);
    const after = machine().boot(() => ok());
    await after.drain();
    expect(to(after, DEAD)).toHaveLength(400);
    await crash(after);
  });
});
