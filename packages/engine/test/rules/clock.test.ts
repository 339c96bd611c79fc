import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/index.ts";
import { ManualClock } from "../../src/rules/clock.ts";

describe("a manual clock", () => {
  it("fires timers in order, each at its time", () => {
    const clock = new ManualClock(1000);
    const fired: [string, number][] = [];
    const note = (name: string) => () => fired.push([name, clock.now()]);
    clock.after(20, note("b"));
    clock.after(10, () => {
      note("a")();
      clock.after(5, note("nested"));
    });
    clock.after(10, note("a2"));
    clock.after(50, note("taken back"))();
    clock.after(100, note("never"));
    expect(clock.next()).toBe(1010);
    clock.advance(60);
    expect(fired).toEqual([
      ["a", 1010],
      ["a2", 1010],
      ["nested", 1015],
      ["b", 1020],
    ]);
    expect(clock.now()).toBe(1060);
    expect(clock.advanceToNext()).toBe(true);
    expect(clock.now()).toBe(1100);
    expect(clock.next()).toBeUndefined();
    expect(clock.advanceToNext()).toBe(false);
  });

  it("shows whole milliseconds, which the stores need, whatever a timer waits for", () => {
    const clock = new ManualClock(1000);
    const fired: number[] = [];
    clock.after(135.9, () => fired.push(clock.now()));
    clock.advanceToNext();
    clock.advance(0.3);
    expect([...fired, clock.now()]).toEqual([1135, 1136]);
  });
});

describe("the system clock", () => {
  it("takes times that the platform's timers don't, and takes them back", async () => {
    let fired = 0;
    const cancel = systemClock.after(1e12, () => fired++);
    const gone = systemClock.after(0, () => fired++);
    gone();
    await new Promise((resolve) => void systemClock.after(1, () => resolve(undefined)));
    cancel();
    expect(fired).toBe(0);
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
  });
});
