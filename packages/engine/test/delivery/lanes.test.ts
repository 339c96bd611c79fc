import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { crash, useMachine } from "../crashing.ts";
import { type Endpoint, ok, until, type World, world } from "../harness.ts";

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

  it("leaves room for a third, where two are dead", async () => {
    const w = world((call) => (call.url.startsWith(WELL) ? ok() : new Promise<Response>(() => {})), {
      concurrency: 16,
    });
    for (const host of ["a", "b", "c", "d"]) await publish(w, `https://${host}.test/`, 50);
    await until(() => w.calls.length >= 14);
    await publish(w, WELL, 20);
    await until(() => to(w, WELL).length === 20);
    expect(w.calls.length).toBeLessThan(36);
  });

  it("is called for all that waited, in order, as its attempts time out", async () => {
    const w = world(dead, { concurrency: 4 });
    await publish(w, DEAD, 9, TEN_SECONDS);
    for (const called of [2, 4, 6, 8, 9]) {
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
    for (const called of [2, 4, 5]) {
      await until(() => to(w, DEAD).length === called);
      w.clock.advance(10_000);
    }
    await w.engine.idle();
    expect(to(w, DEAD)).toEqual(["0", "1", "2", "3", "4"]);
  });

  it("is called after a restart for what had waited", async () => {
    const before = machine().boot(dead);
    await publish(before, DEAD, 200);
    await until(() => to(before, DEAD).length === 64);
    await crash(before);
    const after = machine().boot(() => ok());
    await after.engine.idle();
    expect(to(after, DEAD)).toHaveLength(200);
    await crash(after);
  });
});
