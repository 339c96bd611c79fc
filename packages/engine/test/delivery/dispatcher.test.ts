import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../src/index.ts";
import { ONCE } from "../failing.ts";
import { APP, failed, ok, START, until, type World, world } from "../harness.ts";
import { app, callStep, THIRD, to, workflow } from "../steps.ts";
import { openTestStore, type TestStore } from "../stores.ts";

const publish = (w: World, path: string, headers: Record<string, string> = {}): ReturnType<World["ask"]> =>
  w.ask("POST", `/v2/publish/https://a.test/${path}`, { headers });

/** An endpoint of which each answer is given by hand. */
function gate(): {
  endpoint: () => Promise<Response>;
  open: (response?: Response) => void;
  waiting: () => number;
} {
  const waiting: ((response: Response) => void)[] = [];
  return {
    endpoint: () => new Promise<Response>((resolve) => void waiting.push(resolve)),
    open: (response = new Response()) => {
      for (const resolve of waiting.splice(0)) resolve(response.clone());
    },
    waiting: () => waiting.length,
  };
}

function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = (): void => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give };
}

describe("the dispatcher", () => {
  it("delivers as much at once as it may, and not more", async () => {
    const { endpoint, open, waiting } = gate();
    const w = world(endpoint, { concurrency: 3 });
    await Promise.all(
      Array.from({ length: 10 }, (_, at) => w.ask("POST", `/v2/publish/https://host${at}.test/${at}`)),
    );
    const most: number[] = [];
    for (let left = 10; left > 0; left -= most.at(-1) ?? 0) {
      await until(() => waiting() >= Math.min(3, left));
      // Time enough for one too many.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      most.push(waiting());
      open();
    }
    await w.engine.idle();
    expect(Math.max(...most)).toBe(3);
    expect(
      w.calls
        .map((call) => call.url.at(-1))
        .sort()
        .join(""),
    ).toBe("0123456789");
  });

  it("isn't held up by one destination that is slow", async () => {
    const { endpoint, open } = gate();
    const w = world((call) => (call.url.endsWith("slow") ? endpoint() : new Response()), { concurrency: 4 });
    await publish(w, "slow");
    await Promise.all(Array.from({ length: 20 }, (_, at) => publish(w, String(at))));
    await until(() => w.events.filter((event) => event.type === "delivered").length === 20);
    open();
    await w.engine.idle();
  });

  it("gives up on an answer after the message's time, or its own", async () => {
    const w = world(() => new Promise<Response>(() => {}));
    await publish(w, "a", { [HEADER.timeout]: "30s", [HEADER.retries]: "0" });
    await publish(w, "b", { [HEADER.retries]: "0" });
    await until(() => w.calls.length === 2);
    w.clock.advance(29_999);
    expect(await w.deadLetters()).toEqual([]);
    w.clock.advance(1);
    await until(async () => (await w.deadLetters()).length === 1);
    expect(await w.deadLetters()).toMatchObject([
      { url: "https://a.test/a", error: "no answer within 30 s" },
    ]);
    w.clock.advance(270_000);
    await w.engine.idle();
    expect(await w.deadLetters()).toMatchObject([{ error: "no answer within 300 s", responseStatus: 0 }, {}]);
    expect(w.calls).toHaveLength(2);
  });

  it("gives what belongs to a run more time than a plain message", async () => {
    const w = world(() => new Promise<Response>(() => {}));
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await publish(w, "a", { [HEADER.retries]: "0" });
    await until(() => w.calls.length === 2);
    w.clock.advance(300_000);
    await until(async () => (await w.deadLetters()).length === 1);
    w.clock.advance(599_999);
    expect(await w.deadLetters()).toHaveLength(1);
    w.clock.advance(1);
    await until(async () => (await w.deadLetters()).length === 2);
    expect((await w.deadLetters()).map(({ error }) => error)).toEqual([
      "no answer within 900 s",
      "no answer within 300 s",
    ]);
  });

  it("keeps what it is delivering, however long that takes", async () => {
    const { endpoint, open } = gate();
    const w = world(endpoint);
    await publish(w, "a", { [HEADER.timeout]: "15m" });
    await until(() => w.calls.length === 1);
    for (let minute = 0; minute < 14; minute++) {
      w.clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    open();
    await w.engine.idle();
    expect(w.calls).toHaveLength(1);
    expect(w.events).toMatchObject([{ type: "delivered", attempt: 1, ms: 840_000 }]);
  });

  it("keeps it also when time has jumped past the lease", async () => {
    const { endpoint, open } = gate();
    const w = world(endpoint, { timeouts: { message: 1e9 } });
    await publish(w, "a");
    await until(() => w.calls.length === 1);
    w.clock.advance(1e8);
    await publish(w, "b");
    await until(() => w.calls.length === 2);
    open();
    await w.engine.idle();
    expect(w.calls.map((call) => call.url.at(-1)).join("")).toBe("ab");
    expect(w.events.map((event) => event.type)).toEqual(["delivered", "delivered"]);
  });

  it("keeps a call whose lease it has claimed anew, when the renewal of the old lease is answered before the claim", async () => {
    const { endpoint, open } = gate();
    const clock = new ManualClock(START);
    const own = openTestStore({ file: ":memory:", now: () => clock.now() });
    let jumped = false;
    const [claimed, renewed] = [signal(), signal()];
    const opened: TestStore = {
      ...own,
      commits: 0,
      async claim(order) {
        const claims = await own.claim(order);
        if (!jumped || claims.claims.length === 0) return claims;
        claimed.give();
        await renewed.given;
        return claims;
      },
      async renew(leases, until) {
        await claimed.given;
        const lost = await own.renew(leases, until);
        renewed.give();
        return lost;
      },
    };
    const endpoints = app({ [APP]: workflow(callStep()), [THIRD]: endpoint, "https://a.test/b": () => ok() });
    const w = world(endpoints, { clock, opened });
    await w.start("wfr_1", ONCE);
    await until(() => to(w, THIRD).length === 1 && w.events.some(({ type }) => type === "delivered"));
    jumped = true;
    clock.advance(60_000);
    await publish(w, "b");
    await until(() => to(w, "https://a.test/b").length === 1);
    open();
    await w.engine.idle();
    expect(to(w, THIRD)).toHaveLength(1);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("has no timer left when nothing is left to do", async () => {
    const w = world(() => new Response());
    await publish(w, "a");
    await w.engine.idle();
    expect(w.clock.next()).toBeUndefined();
  });

  it("knows when the next thing is due among many that sleep", async () => {
    const w = world(() => new Response());
    await Promise.all(
      [50, 10, 30].map((delay) => publish(w, String(delay), { [HEADER.delay]: `${delay}s` })),
    );
    await w.engine.idle();
    expect(w.clock.next()).toBe(START + 10_000);
    await w.drain(START + 30_000);
    expect(w.calls.map((call) => call.at - START)).toEqual([10_000, 30_000]);
  });

  it("delivers nothing before it is started, and nothing after it is stopped", async () => {
    const { endpoint, open } = gate();
    const w = world(endpoint);
    await publish(w, "a");
    await until(() => w.calls.length === 1);
    const stopped = w.engine.stop();
    await publish(w, "b");
    open();
    await stopped;
    expect(w.calls).toHaveLength(1);
    w.engine.start();
    await until(() => w.calls.length === 2);
    open();
    await w.engine.idle();
    expect(w.calls.map((call) => call.url.at(-1)).join("")).toBe("ab");
  });

  it("waits for what is under way only until the deadline, and doesn't count what it left", async () => {
    const w = world(() => new Promise<Response>(() => {}));
    await publish(w, "a");
    await until(() => w.calls.length === 1);
    const stopped = w.engine.stop({ deadline: 2000 });
    w.clock.advance(2000);
    await stopped;
    w.engine.start();
    await until(() => w.calls.length === 2);
    expect(w.calls.map((call) => call.headers.get(HEADER.retried))).toEqual(["0", "0"]);
    expect(w.calls[1]?.headers.get(HEADER.messageId)).toBe(w.calls[0]?.headers.get(HEADER.messageId));
  });

  it("goes on when the store fails for a moment", async () => {
    const w = world(() => new Response());
    const { claim } = w.store;
    w.store.claim = () => Promise.reject(new TypeError("disk on fire"));
    await publish(w, "a");
    await w.engine.idle();
    w.store.claim = claim;
    await w.drain();
    expect(w.events.map((event) => event.type)).toEqual(["fault", "delivered"]);
    expect(w.calls.map((call) => call.at - START)).toEqual([1000]);
  });

  it("delivers again what it couldn't record", async () => {
    const w = world(() => failed(200, ""));
    const { settle } = w.store;
    w.store.settle = () => Promise.reject(new TypeError("disk on fire"));
    await publish(w, "a");
    await w.engine.idle();
    w.store.settle = settle;
    await w.drain();
    expect(w.calls.map((call) => call.at - START)).toEqual([0, 30_000]);
    expect(w.calls.map((call) => call.headers.get(HEADER.retried))).toEqual(["0", "0"]);
  });

  it("isn't harmed by an observer that throws", async () => {
    const said: unknown[] = [];
    const { error } = console;
    console.error = (...words: unknown[]) => void said.push(words);
    try {
      const w = world(() => new Response(), {
        onEvent: () => {
          throw new TypeError("not\u001b[2J me");
        },
      });
      await publish(w, "a");
      await w.engine.idle();
      expect(w.calls).toHaveLength(1);
      // Of the beginning and of the end.
      expect(said).toHaveLength(2);
      // The observer's words don't reach a terminal as they are.
      for (const [line] of said as [string][])
        expect(line).toContain("The engine's onEvent threw: TypeError: not\\u001b[2J me");
    } finally {
      console.error = error;
    }
  });
});
