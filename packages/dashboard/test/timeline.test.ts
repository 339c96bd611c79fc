import { describe, expect, it } from "vitest";
import type { Step } from "../src/api/types.ts";
import { toLabels, toRollbackRows, toRows, toScale } from "../src/run/timeline.ts";

const done = (stepName: string, more: Partial<Step> = {}): Step => ({
  stepId: 1,
  stepName,
  stepType: "Run",
  state: "STEP_SUCCESS",
  messageId: "msg_1",
  ...more,
});
const failure = (time: number) => ({ error: "500", status: 500, time });
const FRAME = { start: 0, end: 1000 };

describe("the rows of a waterfall", () => {
  it("begin when what stood before them had ended", () => {
    const rows = toRows(
      [done("init", { stepType: "Initial" }), done("a", { createdAt: 100 }), done("b", { createdAt: 250 })],
      FRAME,
    );
    expect(rows.map(({ name, from, to }) => [name, from, to])).toEqual([
      ["a", 0, 100],
      ["b", 100, 250],
    ]);
  });

  it("have the measured time of a step that ran inline", () => {
    const [row] = toRows([done("a", { createdAt: 100, startedAt: 40, durationMs: 25 })], FRAME);
    expect(row).toMatchObject({ from: 40, to: 65 });
  });

  it("stand side by side for steps of one group", () => {
    const rows = toRows(
      [
        done("a", { createdAt: 50 }),
        done("b", { createdAt: 90, group: 1 }),
        done("c", { createdAt: 70, group: 1 }),
        done("d", { createdAt: 120 }),
      ],
      FRAME,
    );
    expect(rows.map(({ from, to }) => [from, to])).toEqual([
      [0, 50],
      [50, 90],
      [50, 70],
      [90, 120],
    ]);
  });

  it("tell attempts and back-off apart", () => {
    const step = done("a", { state: "STEP_FAILED", errors: [failure(100), failure(300), failure(700)] });
    const [row] = toRows([step], { start: 0, end: 700 });
    expect(row?.parts).toEqual([
      { kind: "work", from: 0, to: 100 },
      { kind: "backoff", from: 100, to: 300 },
      { kind: "backoff", from: 300, to: 700 },
    ]);
  });

  it("wait until a sleep is over, which is recorded when it begins", () => {
    const [row] = toRows([done("nap", { stepType: "SleepFor", createdAt: 100, sleepFor: 5 })], FRAME);
    expect(row).toMatchObject({ from: 0, to: 5100, parts: [{ kind: "wait" }] });
  });

  it("go on to now for what is under way", () => {
    const [row] = toRows([done("a", { state: "STEP_PROGRESS" })], FRAME);
    expect(row).toMatchObject({ to: 1000, isOpen: true });
  });

  it("have one bracket for the steps of a delivery", () => {
    const rows = toRows(
      [1, 1, 1, 2, 3, 3].map((invocation, at) => done(`s${at}`, { invocation, createdAt: at })),
      FRAME,
    );
    const alone = undefined;
    expect(rows.map(({ bracket }) => bracket)).toEqual(["first", "middle", "last", alone, "first", "last"]);
  });

  it("have no bracket where each step has a delivery of its own", () => {
    const rows = toRows([done("a", { createdAt: 1 }), done("b", { createdAt: 2 })], FRAME);
    expect(rows.map(({ bracket }) => bracket)).toEqual([undefined, undefined]);
  });

  it("begin together for all steps that are under way", () => {
    const open = { state: "STEP_PROGRESS" } as const;
    const rows = toRows([done("a", { createdAt: 300 }), done("b", open), done("c", open)], FRAME);
    expect(rows.map(({ from, to }) => [from, to])).toEqual([
      [0, 300],
      [300, 1000],
      [300, 1000],
    ]);
  });

  it("are named after the workflow's code where it failed outside of a step", () => {
    const errors = [{ error: "no", status: 500, time: 10 }];
    const step = { messageId: "m", state: "STEP_FAILED", errors } as const;
    expect(toRows([step], FRAME)).toMatchObject([{ name: "the workflow's code" }]);
    expect(toRows([{ messageId: "m", state: "STEP_PROGRESS" }], FRAME)).toMatchObject([
      { name: "the next step" },
    ]);
  });

  it("end with the rollbacks", () => {
    const rows = toRollbackRows(
      [
        { stepId: 2, stepName: "b", stepType: "Run", state: "done", attempts: 1, time: 1200 },
        { stepId: 1, stepName: "a", stepType: "Run", state: "failed", attempts: 3, error: { message: "no" } },
      ],
      1000,
    );
    expect(rows).toMatchObject([
      { name: "b", from: 1000, to: 1200, isRollback: true },
      { name: "a", from: 1200, to: 1200, failures: [{ error: "no" }] },
    ]);
  });
});

describe("the scale", () => {
  it("is even without long waits", () => {
    const rows = toRows([done("a", { createdAt: 400 }), done("b", { createdAt: 1000 })], FRAME);
    const { place, cuts } = toScale(rows, FRAME);
    expect(cuts).toEqual([]);
    expect([0, 400, 1000].map(place)).toEqual([0, 0.4, 1]);
  });

  it("draws a long wait short, and keeps the order of times", () => {
    const frame = { start: 0, end: 3_600_200 };
    const rows = toRows(
      [
        done("a", { createdAt: 100 }),
        done("nap", { stepType: "SleepFor", createdAt: 100, sleepFor: 3600 }),
        done("b", { createdAt: 3_600_200 }),
      ],
      frame,
    );
    const { place, cuts } = toScale(rows, frame);
    expect(cuts).toEqual([{ from: 100, to: 3_600_100 }]);
    expect(place(3_600_100) - place(100)).toBeLessThan(0.2);
    const places = [0, 50, 100, 2_000_000, 3_600_100, 3_600_150, 3_600_200].map(place);
    expect(places).toEqual([...places].sort((one, other) => one - other));
    expect(places.at(-1)).toBe(1);
  });

  it("also draws a pause short that is long only beside the work, such as the way to the endpoint", () => {
    const frame = { start: 0, end: 3_600_100 };
    const rows = toRows(
      [
        done("a", { createdAt: 60, startedAt: 50, durationMs: 10 }),
        done("nap", { stepType: "SleepFor", createdAt: 60, sleepFor: 3600 }),
      ],
      frame,
    );
    const { place, cuts } = toScale(rows, frame);
    expect(cuts.map(({ from }) => from)).toEqual([0, 60]);
    expect(place(60) - place(50)).toBeGreaterThan(0.5);
  });

  it("is even where there is nothing but a wait", () => {
    const frame = { start: 0, end: 3_600_050 };
    const rows = toRows([done("nap", { stepType: "SleepFor", createdAt: 50, sleepFor: 3600 })], frame);
    const { place, cuts } = toScale(rows, frame);
    expect(cuts).toEqual([]);
    expect(place(3_600_050) - place(50)).toBeGreaterThan(0.99);
  });

  it("has labels that don't overlap", () => {
    const place = (time: number): number => time / 100;
    const cut = (from: number) => ({ from, to: from + 5 });
    expect(toLabels({ place, cuts: [] })).toEqual({ cuts: [], hasEnd: true });
    expect(toLabels({ place, cuts: [cut(10), cut(20)] })).toEqual({ cuts: [cut(10)], hasEnd: true });
    expect(toLabels({ place, cuts: [cut(10), cut(60)] })).toEqual({
      cuts: [cut(10), cut(60)],
      hasEnd: false,
    });
    expect(toLabels({ place, cuts: [cut(90)] })).toEqual({ cuts: [], hasEnd: true });
  });
});
