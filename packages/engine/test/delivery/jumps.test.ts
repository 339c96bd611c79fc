import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Cancel, Clock } from "../../src/rules/clock.ts";
import { ManualClock } from "../../src/rules/clock.ts";
import { ok, START, until, type World, world } from "../harness.ts";

const HOUR = 3_600_000;

/** The clock of a machine that somebody sets, or that sleeps: its timers go by what has passed while it was awake. */
class JumpingClock implements Clock {
  readonly passed = new ManualClock(START);
  #ahead = 0;

  now(): number {
    return this.passed.now() + this.#ahead;
  }

  after(ms: number, act: () => void): Cancel {
    return this.passed.after(ms, act);
  }

  jump(ms: number): void {
    this.#ahead += ms;
  }
}

function jumping(): { clock: JumpingClock; w: World; paths: () => string[] } {
  const clock = new JumpingClock();
  const w = world(() => ok(), { clock });
  return { clock, w, paths: () => w.calls.map(({ url }) => new URL(url).pathname.slice(1)) };
}

const publish = (w: World, path: string, delay: string): ReturnType<World["ask"]> =>
  w.ask("POST", `/v2/publish/https://a.test/${path}`, { headers: { [HEADER.delay]: delay } });

describe("a clock that jumps", () => {
  it("forward has what came due delivered seconds later", async () => {
    const { clock, w, paths } = jumping();
    await publish(w, "jumped over", "10m");
    await publish(w, "later", "10h");
    await w.engine.idle();
    clock.jump(2 * HOUR);
    clock.passed.advance(2000);
    await until(() => paths().length === 1);
    await w.engine.idle();
    expect(paths()).toEqual(["jumped%20over"]);
  });

  it("forward has what comes due from then on delivered in time", async () => {
    const { clock, w, paths } = jumping();
    await publish(w, "later", "10m");
    await w.engine.idle();
    clock.jump(2 * HOUR);
    await publish(w, "soon", "1s");
    await publish(w, "now", "0s");
    await until(() => paths().includes("now"));
    clock.passed.advance(1000);
    await until(() => paths().length === 3);
    expect(paths().sort()).toEqual(["later", "now", "soon"]);
  });

  it("back delivers nothing too early, and holds up nothing that is new", async () => {
    const { clock, w, paths } = jumping();
    await publish(w, "planned", "10s");
    await w.engine.idle();
    clock.jump(-2 * HOUR);
    await publish(w, "now", "0s");
    await publish(w, "soon", "1s");
    await until(() => paths().length === 1);
    clock.passed.advance(1000);
    await until(() => paths().length === 2);
    clock.passed.advance(9000);
    await w.engine.idle();
    expect(paths()).toEqual(["now", "soon"]);
    clock.jump(2 * HOUR);
    clock.passed.advance(2000);
    await until(() => paths().length === 3);
  });

  it("wakes sleeping runs and retries as well", async () => {
    const clock = new JumpingClock();
    let answers = 0;
    const w = world(() => (answers++ === 0 ? new Response("", { status: 500 }) : ok()), { clock });
    await w.ask("POST", "/v2/publish/https://a.test/", { headers: { [HEADER.retryDelay]: "3600000" } });
    await w.engine.idle();
    expect(w.calls).toHaveLength(1);
    clock.jump(2 * HOUR);
    clock.passed.advance(2000);
    await until(() => w.calls.length === 2);
  });
});
