import { describe, expect, it, onTestFinished, vi } from "vitest";

/** The module starts its clock when it is loaded. */
async function load() {
  vi.useFakeTimers();
  vi.stubGlobal("document", { hidden: false });
  onTestFinished(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  return import("../src/format/time.ts");
}

describe("a duration", () => {
  it.each([
    [0, "0 ms"],
    [0.42, "0.4 ms"],
    [12, "12 ms"],
    [999, "999 ms"],
    [1000, "1 s"],
    [3210, "3.2 s"],
    [59_400, "59 s"],
    [60_000, "1 min"],
    [250_000, "4 min 10 s"],
    [3_600_000, "1 h"],
    [90_000_000, "1 d 1 h"],
    [-5, "0 ms"],
  ])("of %d ms is %s", async (ms, text) => {
    const { duration } = await load();
    expect(duration(ms)).toBe(text);
  });
});

describe("a time", () => {
  it.each([
    [0, "now"],
    [-999, "now"],
    [-61_000, "1 min ago"],
    [59_000, "in 59 s"],
    [7_200_000, "in 2 h"],
    [172_740_000, "in 1 d 23 h"],
    [-172_800_000, "2 d ago"],
  ])("%d ms from now is %s", async (distance, text) => {
    const { relative } = await load();
    expect(relative(1e12 + distance, 1e12)).toBe(text);
  });
});
