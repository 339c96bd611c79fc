import { afterEach, describe, expect, it, vi } from "vitest";
import type { ServeOptions, WorkflowContext, WorkflowFunction } from "../src/index.ts";
import { TestEngine } from "./support/engine.ts";
import { open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
afterEach(() => vi.restoreAllMocks());

const io = (turns = 1) =>
  new Promise<void>((resolve) => {
    let left = turns;
    const next = () => (left-- > 0 ? setImmediate(next) : resolve());
    next();
  });

function start(workflow: WorkflowFunction, options: ServeOptions = {}): TestEngine {
  return new TestEngine("inline", recorder(), () => open(recorder(), workflow, options));
}

describe("a run of steps one after the other", () => {
  const ten = async (context: WorkflowContext) => {
    let sum = 0;
    for (let at = 1; at <= 10; at++) sum += await context.run(`step ${at}`, () => at);
    return sum;
  };

  it("costs one delivery, and an append before each step but the first", async () => {
    const engine = start(ten);
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: 55, deliveries: 1 });
    expect(engine.appends.map(({ records }) => records.length)).toEqual(Array(9).fill(1));
    expect(engine.finished).toHaveLength(10);
  });

  it("of one step needs no append", async () => {
    const engine = start((context) => context.run("only", () => 1));
    expect(await engine.run()).toMatchObject({ result: 1, deliveries: 1 });
    expect(engine.appends).toEqual([]);
  });
});

describe("a sleep", () => {
  it("parks the run without a request of its own", async () => {
    const engine = start(async (context) => {
      await context.run("before", () => 1);
      await context.sleep("nap", "1h");
      return context.run("after", () => 2);
    });
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: 2, deliveries: 2 });
    expect(engine.appends).toEqual([]);
    expect(engine.finished).toEqual(["before", "nap", "after"]);
  });
});

describe("a race of a step and an event", () => {
  it("ends without a second invocation", async () => {
    const engine = start((context) =>
      Promise.race([
        context.run("work", () => io(3).then(() => "worked")),
        context.waitForEvent("stop", "stop"),
      ]),
    );
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: "worked", deliveries: 1 });
  });
  it("is won by the event that came first", async () => {
    const engine = start((context) =>
      Promise.race([
        context.run("work", async () => {
          engine.notify("stop", "now");
          return "worked";
        }),
        context.waitForEvent("stop", "stop"),
      ]),
    );
    expect(await engine.run()).toMatchObject({ result: { eventData: "now" }, deliveries: 1 });
  });
});

describe("branches", () => {
  it("each go at their own pace", async () => {
    const order: string[] = [];
    const engine = start(async (context) => {
      const chain = async (name: string, turns: number) => {
        for (let at = 1; at <= 3; at++)
          await context.run(`${name}${at}`, async () => {
            await io(turns);
            order.push(`${name}${at}`);
          });
        return name;
      };
      return Promise.all([chain("slow", 60), chain("fast", 1)]);
    });
    expect(await engine.run()).toMatchObject({ result: ["slow", "fast"], deliveries: 1 });
    expect(order.indexOf("fast3")).toBeLessThan(order.indexOf("slow2"));
  });

  it("of the same name keep their results apart, in whichever order they end", async () => {
    const engine = start(async (context) => {
      const both = await Promise.all([
        context.run("same", () => io(20).then(() => "first")),
        context.run("same", () => "second"),
      ]);
      await context.sleep("nap", 1);
      return both;
    });
    expect(await engine.run()).toMatchObject({ result: ["first", "second"], deliveries: 2 });
    expect(engine.records.map(({ out, nth }) => [out, nth])).toEqual([
      ['"second"', 2],
      ['"first"', undefined],
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });
});

describe("a failed attempt", () => {
  it("of a step alone is answered, and the step is tried again", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const attempts: number[] = [];
    const engine = start(async (context) => {
      await context.run("first", () => 1);
      return context.run("second", ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error(`no ${attempt}`);
        return "done";
      });
    });
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: "done", deliveries: 3 });
    expect(attempts).toEqual([1, 2, 3]);
    expect(engine.attempts.map(({ step, attempt }) => [step.name, attempt])).toEqual([
      ["second", 1],
      ["second", 2],
    ]);
  });

  it("leaves the other branches going, and is tried again in place", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const engine = start((context) =>
      Promise.all([
        context.run("fails", ({ attempt }) => {
          if (attempt < 3) throw new Error("no");
          return attempt;
        }),
        context.run("slow", () => io(50).then(() => "slow")),
      ]),
    );
    engine.retryDelayMs = 5;
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: [3, "slow"], deliveries: 1 });
  });
});
