import { describe, expect, it } from "vitest";
import { sampleInRepeats, sampleOf, takeSample } from "../src/sample.ts";

const WAYS = ["throws", "stalls", "times out", "is cancelled", "answers 404"];
const STARTS = ["trigger", "schedule", "invoke", "POST"];
const rows = WAYS.flatMap((way) => STARTS.map((start) => ({ way, start })));
const NUMBERS = Array.from({ length: 50 }, (_, at) => 20_000 + at);

describe("a sample of a suite's cases", () => {
  it.each([2, 3, 4, 7, 20, 100])("is a part, and that many in succession have all (%d)", (every) => {
    for (const number of NUMBERS) {
      const sample = takeSample(rows, { number, every, covering: [] });
      expect(sample.length).toBeGreaterThan(0);
      expect(sample.length).toBeLessThanOrEqual(Math.ceil(rows.length / every));
      const later = Array.from({ length: every }, (_, at) =>
        takeSample(rows, { number: number + at, every, covering: [] }),
      );
      expect(new Set(later.flat()).size).toBe(rows.length);
    }
  });

  it.each([4, 10, 100])("has each value of the fields that it covers (%d)", (every) => {
    for (const number of NUMBERS) {
      const sample = takeSample(rows, { number, every, covering: ["way", "start"] });
      expect(new Set(sample.map(({ way }) => way))).toEqual(new Set(WAYS));
      expect(new Set(sample.map(({ start }) => start))).toEqual(new Set(STARTS));
      expect(sample.length).toBeLessThan(rows.length / 2);
    }
  });

  it("is the same for the same number, and in the list's order", () => {
    const sampling = { number: 7, every: 3, covering: ["start"] } as const;
    const sample = takeSample(rows, sampling);
    expect(takeSample(rows, sampling)).toEqual(sample);
    expect(sample).toEqual(rows.filter((row) => sample.includes(row)));
  });

  it.each([2, 3, 4, 5])("has all cases of a file that each second sample has, in its turn (%d)", (every) => {
    const ran = new Set<string>();
    for (const number of NUMBERS.slice(0, 2 * every)) {
      const cases = takeSample(WAYS, { number: sampleInRepeats(number), every, covering: [] });
      for (const file of takeSample(["a", "b", "c"], { number, every: 2, covering: [] }))
        for (const one of cases) ran.add(`${file} ${one}`);
    }
    expect(ran.size).toBe(3 * WAYS.length);
  });

  it("of no cases has none", () => {
    expect(takeSample([], { number: 1, every: 3, covering: [] })).toEqual([]);
  });
});

describe("pnpm test", () => {
  const now = Date.UTC(2026, 10, 30, 12);
  const ask = (groups: readonly string[], env = {}) => sampleOf({ groups, env, now });

  it("runs the sample of the day", () => {
    expect(ask([])).toBe(20_787);
    expect(sampleOf({ groups: [], env: {}, now: now + 24 * 60 * 60 * 1000 })).toBe(20_788);
  });

  it("runs all cases in CI, of groups that are asked for, and of all groups", () => {
    expect(ask([], { CI: "true" })).toBeUndefined();
    expect(ask(["e2e"])).toBeUndefined();
    expect(ask(["all"])).toBeUndefined();
  });

  it("repeats a sample, but not where all cases must run", () => {
    expect(ask([], { TEST_SAMPLE: "20001" })).toBe(20_001);
    expect(ask(["e2e"], { TEST_SAMPLE: "20001" })).toBe(20_001);
    expect(ask(["all"], { TEST_SAMPLE: "20001" })).toBeUndefined();
    expect(ask([], { TEST_SAMPLE: "20001", CI: "1" })).toBeUndefined();
  });

  it.each(["x", "-1", "1.5"])("says that no sample has the number %s", (text) => {
    expect(() => ask([], { TEST_SAMPLE: text })).toThrow(
      `TEST_SAMPLE must be the number of a sample; got "${text}"`,
    );
  });
});
