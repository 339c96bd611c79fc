import { MODE } from "@perdure/test-support/mode";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type Jsonify,
  type WorkflowContext,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
} from "../src/index.ts";
import type { StepRecord } from "../src/protocol/index.ts";
import { TestEngine } from "./support/engine.ts";
import { deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
afterEach(() => {
  // In this order: what was spied on is a fake.
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** What the platform does when user code waits for something of its own. */
const io = (turns = 1) =>
  new Promise<void>((resolve) => {
    let left = turns;
    const next = () => (left-- > 0 ? setImmediate(next) : resolve());
    next();
  });

/**
 * Delivers until the run ends, as an engine does: every record that is published is appended and delivered, the members of
 * a group in the given order.
 */
async function drive(
  workflow: (context: WorkflowContext) => unknown,
  order: "forwards" | "backwards" = "forwards",
) {
  if (MODE === "inline") {
    const engine = new TestEngine(MODE, recorder(), () => open(recorder(), workflow));
    const { result, answer } = await engine.run();
    return { result, answer, history: engine.records, deliveries: engine.deliveries };
  }
  const handler = open(recorder(), workflow);
  const history: StepRecord[] = [];
  let pending: number[] = [0];
  let deliveries = 0;
  while (recorder().finished.length === 0) {
    const until = order === "forwards" ? pending.shift() : pending.pop();
    if (until === undefined) throw new Error(`stalled after ${JSON.stringify(history)}`);
    const before = recorder().records.length;
    const answer = await deliver(handler, history.slice(0, until));
    deliveries++;
    if (answer.status !== 200) return { answer, history, deliveries };
    const added = recorder().records.slice(before);
    history.push(...added);
    pending = [...pending, ...added.map((_, at) => history.length - added.length + at + 1)];
    expect(deliveries).toBeLessThan(50);
  }
  return { result: JSON.parse(recorder().returned[0] || "null"), history, deliveries };
}

/** A step that counts its runs. */
function counter(context: WorkflowContext, runs: Record<string, number>) {
  return <T>(name: string, value: T, before?: () => Promise<void>): Promise<Jsonify<T>> =>
    context.run(name, async () => {
      runs[name] = (runs[name] ?? 0) + 1;
      await before?.();
      return value;
    });
}

// Groups of plans are there only with one step a delivery.
describe.skipIf(MODE === "inline")("a group", () => {
  it("is all that is asked for before the workflow waits, however many functions it comes through", async () => {
    const wrapped = async (depth: number, step: () => Promise<unknown>): Promise<unknown> =>
      depth === 0 ? step() : await wrapped(depth - 1, step);
    const { history } = await drive(async (context) => {
      await Promise.all([
        context.run("here", () => 1),
        (async () => {
          for (let turn = 0; turn < 10; turn++) await undefined;
          await wrapped(3, () => context.run("there", () => 2));
        })(),
      ]);
    });
    expect(history.slice(0, 2)).toMatchObject([
      { stepName: "here", concurrent: 2, targetStep: 1 },
      { stepName: "there", concurrent: 2, targetStep: 2 },
    ]);
  });

  it("is planned at once, and its members run one delivery each, in any order", async () => {
    for (const order of ["forwards", "backwards"] as const) {
      recorder().reset();
      const runs: Record<string, number> = {};
      const { result, history } = await drive(async (context) => {
        const step = counter(context, runs);
        const [a, , c] = await Promise.all([step("a", 1), context.sleep("nap", 60), step("c", 3)]);
        return context.run("sum", () => a + c);
      }, order);
      expect(result).toBe(4);
      expect(runs).toEqual({ a: 1, c: 1 });
      expect(history.slice(0, 3)).toEqual([
        { stepId: 0, stepName: "a", stepType: "Run", concurrent: 3, targetStep: 1 },
        { stepId: 0, stepName: "nap", stepType: "SleepFor", sleepFor: 60, concurrent: 3, targetStep: 2 },
        { stepId: 0, stepName: "c", stepType: "Run", concurrent: 3, targetStep: 3 },
      ]);
      expect(history.at(-1)).toMatchObject({ stepId: 4, stepName: "sum", concurrent: 1 });
      expect(recorder().published.filter(({ headers }) => headers["upstash-delay"])).toHaveLength(1);
    }
  });

  it("of members with the same name keeps them apart", async () => {
    let call = 0;
    const { result } = await drive(async (context) => {
      const work = () => ++call;
      return Promise.all([context.run("same", work), context.run("same", work)]);
    });
    expect(result).toEqual([1, 2]);
  });

  it("whose member fails reports the error as thrown", async () => {
    const handler = open(recorder(), (context) =>
      Promise.all([
        context.run("a", () => Promise.reject(new RangeError("too far"))),
        context.run("b", () => 1),
      ]),
    );
    const plan = { stepId: 0, stepName: "a", stepType: "Run", concurrent: 2, targetStep: 1 } as const;
    const answer = await deliver(handler, [plan]);
    expect(answer).toMatchObject({ status: 500, body: { error: "RangeError", message: "too far" } });
    expect(answer.headers.get("Upstash-Error-Step-Name")).toBe("a");
  });

  it("that waits for others doesn't run the workflow", async () => {
    const handler = open(recorder(), () => expect.unreachable());
    const plan = (targetStep: number) =>
      ({ stepId: 0, stepName: "s", stepType: "Run", concurrent: 2, targetStep }) as const;
    const result = { stepId: 1, stepName: "s", stepType: "Run", concurrent: 2 } as const;
    expect(await deliver(handler, [plan(1), plan(2), result])).toMatchObject({
      status: 200,
      body: { finishCondition: "success" },
    });
  });
});

describe("user code around steps", () => {
  it("sees only real results and real errors in try, catch and finally", async () => {
    const seen: string[] = [];
    const { result } = await drive(async (context) => {
      try {
        await context.run("one", () => 1);
        seen.push("one");
        await context.sleep("two", 1);
        seen.push("two");
        return "result";
      } catch {
        return seen.push("catch");
      } finally {
        seen.push("finally");
      }
    });
    expect(result).toBe("result");
    // One step a delivery: the first gets nowhere, the second to one, the third to the end.
    expect(seen).toEqual(["one", "one", "two", "finally"]);
  });

  it("isn't run as a probe: once for each delivery", async () => {
    let calls = 0;
    const { deliveries } = await drive(async (context) => {
      calls++;
      await context.run("one", () => 1);
    });
    expect(calls).toBe(deliveries);
  });

  it.each<[string, (context: WorkflowContext) => unknown, unknown]>([
    ["race", (c) => Promise.race([c.run("a", () => "a"), c.run("b", () => "b")]), "a"],
    ["any", (c) => Promise.any([c.run("a", () => "a"), c.run("b", () => "b")]), "a"],
    [
      "allSettled",
      (c) => Promise.allSettled([c.run("a", () => 1), c.run("b", () => 2)]).then((all) => all.length),
      2,
    ],
  ])("may use Promise.%s", async (_name, workflow, expected) => {
    expect((await drive(workflow)).result).toEqual(expected);
  });

  it("has a race won by who was recorded first, now and in every replay", async () => {
    const { result } = await drive(async (context) => {
      const winner = await Promise.race([context.run("a", () => "a"), context.run("b", () => "b")]);
      return context.run("after", () => winner);
    }, "backwards");
    // Inline, the first to end is recorded first.
    expect(result).toBe(MODE === "inline" ? "a" : "b");
  });

  it("has a race won by who was recorded first, whoever asks first", async () => {
    const ran = (stepId: number, stepName: string): StepRecord => ({
      stepId,
      stepName,
      stepType: "Run",
      concurrent: 1,
      out: JSON.stringify(stepName),
    });
    const handler = open(recorder(), (context) =>
      Promise.race([
        context.run("second", () => expect.unreachable()),
        io(3).then(() => context.run("first", () => expect.unreachable())),
      ]),
    );
    await deliver(handler, [ran(1, "first"), ran(2, "second")]);
    expect(recorder().returned).toEqual(['"first"']);
  });

  it("receives a result only once it has come to rest, as when the step had just run", async () => {
    const { result } = await drive(async (context) => {
      const own = (async () => {
        for (let turn = 0; turn < 10; turn++) await undefined;
        return "own";
      })();
      return Promise.race([context.run("step", () => "step"), own]);
    });
    expect(result).toBe("own");
  });

  it("may chain steps in branches", async () => {
    const runs: Record<string, number> = {};
    const { result } = await drive(async (context) => {
      const step = counter(context, runs);
      const chain = async (name: string) => {
        await step(`${name}1`, 0);
        await step(`${name}2`, 0);
        return step(`${name}3`, name);
      };
      return Promise.all([chain("a"), chain("b")]);
    });
    expect(result).toEqual(["a", "b"]);
    expect(Object.values(runs)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("may loop with the same names, in branches too, and draw its steps from a generator", async () => {
    const { result, history } = await drive(async (context) => {
      async function* pages(name: string) {
        for (let page = 1; page <= 3; page++) yield context.run("page", () => `${name}${page}`);
      }
      const all: string[] = [];
      for await (const page of pages("p")) all.push(page);
      const items = [3, 2, 1].map((turns) => context.run("item", () => io(turns).then(() => turns)));
      const settled = await Promise.allSettled(items);
      return [...all, ...settled.map((one) => one.status === "fulfilled" && one.value)];
    });
    expect(result).toEqual(["p1", "p2", "p3", 3, 2, 1]);
    expect(history.filter(({ stepId }) => stepId > 0)).toHaveLength(6);
  });

  it("may start a sibling late, after something of its own", async () => {
    const runs: Record<string, number> = {};
    const { result } = await drive(async (context) => {
      const step = counter(context, runs);
      const late = async () => {
        await io(3);
        return step("late", "l", () => io(2));
      };
      return Promise.all([step("early", "e", () => io(10)), late()]);
    });
    expect(result).toEqual(["e", "l"]);
    expect(runs).toEqual({ early: 1, late: 1 });
  });

  it("may wait for things of its own in several branches, which answer in another order each time", async () => {
    const runs: Record<string, number> = {};
    let seed = 7;
    const random = () => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed % 6;
    };
    const { result } = await drive(async (context) => {
      const step = counter(context, runs);
      const branch = async (name: string) => {
        await io(random());
        await step(`${name}1`, 0, () => io(random()));
        await io(random());
        return step(`${name}2`, name, () => io(random()));
      };
      return Promise.all([branch("a"), branch("b"), branch("c"), branch("d")]);
    });
    expect(result).toEqual(["a", "b", "c", "d"]);
    expect(Object.keys(runs).sort()).toEqual(["a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2"]);
    expect(Object.values(runs)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it("may leave a step without awaiting it", async () => {
    const runs: Record<string, number> = {};
    const { result } = await drive(async (context) => {
      const step = counter(context, runs);
      void step("forgotten", 1);
      await io();
      await step("next", 2);
      void step("last", 3);
      return "done";
    });
    expect(result).toBe("done");
    expect(runs).toEqual({ forgotten: 1, next: 1, last: 1 });
  });

  it("that throws beside a step that has begun doesn't make that step's work be done twice", async () => {
    const runs: Record<string, number> = {};
    const { answer, history } = await drive(async (context) => {
      const step = counter(context, runs);
      const failing = async () => {
        await io(2);
        throw new Error("beside");
      };
      await Promise.all([step("slow", 1, () => io(20)), failing()]);
    });
    expect(history).toHaveLength(1);
    expect(answer).toMatchObject({ status: 500, body: { message: "beside" } });
    expect(runs).toEqual({ slow: 1 });
  });
});

describe("a nested step", () => {
  const nested: [string, (context: WorkflowContext) => unknown][] = [
    ["at once", (context) => context.run("outer", () => context.run("inner", () => 1))],
    [
      "after an await",
      (context) => context.run("outer", () => io(2).then(() => context.run("inner", () => 1))),
    ],
    ["that nobody awaits", (context) => context.run("outer", async () => void context.sleep("inner", 1))],
  ];
  it.each(nested)("started %s is refused, and nothing is recorded", async (_name, workflow) => {
    const answer = await deliver(open(recorder(), workflow), []);
    expect(answer).toMatchObject({
      status: 500,
      body: { message: expect.stringMatching(/Step "inner" was started inside step "outer"/) },
    });
    await io(20);
    expect(recorder().requests).toEqual([]);
  });
});

describe("a workflow that no longer fits its history", () => {
  const ran = (stepId: number, stepName: string): StepRecord => ({
    stepId,
    stepName,
    stepType: "Run",
    concurrent: 1,
    out: "1",
  });
  const plan = (targetStep: number, stepName: string): StepRecord => ({
    stepId: 0,
    stepName,
    stepType: "Run",
    concurrent: 2,
    targetStep,
  });
  const done = (stepId: number, stepName: string): StepRecord => ({
    ...ran(stepId, stepName),
    concurrent: 2,
  });

  /** Until a workflow that leaves recorded steps unasked for isn't waited for any longer. */
  const deliverPatiently = async (workflow: (context: WorkflowContext) => unknown, records: StepRecord[]) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const timer = vi.spyOn(globalThis, "setTimeout");
    const answering = deliver(open(recorder(), workflow), records);
    await vi.waitFor(() => expect(timer).toHaveBeenCalledWith(expect.any(Function), 2000), 10_000);
    vi.advanceTimersByTime(2000);
    return answering;
  };

  it.each<[string, StepRecord[], (context: WorkflowContext) => unknown, RegExp]>([
    ["another name", [ran(1, "old")], (c) => c.run("new", () => 1), /1 "old" \(Run\).*"new" \(Run\)/],
    ["another kind", [ran(1, "one")], (c) => c.sleep("one", 1), /1 "one" \(Run\).*"one" \(SleepFor\)/],
    [
      "a smaller group",
      [plan(1, "a"), plan(2, "b"), done(1, "a"), done(2, "b")],
      (c) => c.run("a", () => 1),
      /Recorded, not requested: 2 "b" \(Run\)/,
    ],
    [
      "a larger group",
      [plan(1, "a"), plan(2, "b"), done(1, "a"), done(2, "b")],
      (c) => Promise.all([c.run("a", () => 1), c.run("x", () => 1)]),
      /"b" \(Run\).*"x" \(Run\)/,
    ],
    [
      "a planned member that is gone",
      [plan(1, "a"), plan(2, "b")],
      (c) => c.run("a", () => 1),
      /2 "b" \(Run\)/,
    ],
    ["a planned member that nobody asks for", [plan(1, "a"), plan(2, "b")], () => 1, /2 "b" \(Run\)/],
  ])(
    "%s: an error that shows both and says what to do; no step runs, and it doesn't hang",
    async (_name, records, workflow, message) => {
      const answer = await deliverPatiently(workflow, records);
      expect(answer).toMatchObject({
        status: 500,
        body: { error: "WorkflowError", message: expect.stringMatching(message), where: "replay" },
      });
      expect(answer.body.message).toContain("Deploy code");
      expect(answer.body.message).toContain("Date.now, Math.random and queries");
      expect(recorder().requests).toEqual([]);
    },
  );

  const rest: StepRecord = { stepId: 2, stepName: "rest", stepType: "SleepFor", concurrent: 1 };
  it.each<[string, StepRecord[], (context: WorkflowContext) => unknown, RegExp]>([
    ["returns at once", [ran(1, "one")], () => 1, /1 "one" \(Run\).*has returned without them/],
    [
      "returns after the first of them",
      [ran(1, "one"), rest, ran(3, "three")],
      (c) => c.run("one", () => 1),
      /Recorded, not requested: 2 "rest" \(SleepFor\), 3 "three" \(Run\)/,
    ],
    [
      "returns and leaves a member of a group",
      [plan(1, "a"), plan(2, "b"), done(1, "a"), done(2, "b")],
      (c) => void c.run("a", () => 1),
      /not requested: 2 "b"/,
    ],
    [
      "returns beside a new step that it doesn't await",
      [ran(1, "one")],
      (c) => void c.run("new", () => 1),
      /1 "one" \(Run\).*not recorded: "new" \(Run\)\. The workflow has returned/,
    ],
    [
      "throws at once",
      [ran(1, "one")],
      () => Promise.reject(new RangeError("no connection")),
      /not requested: 1 "one".*has thrown an error \(no connection\) without them/,
    ],
    [
      "throws what must not be retried",
      [ran(1, "one")],
      () => Promise.reject(new WorkflowNonRetryableError("never")),
      /an error \(never\)/,
    ],
    [
      "catches a step's failure, and doesn't ask for what it did then",
      [{ ...ran(1, "one"), failure: { attempts: 1, error: { error: "E", message: "m" } } }, ran(2, "two")],
      (c) => c.run("one", () => 1).catch(() => "caught"),
      /not requested: 2 "two"/,
    ],
  ])("and %s, fails", async (_name, records, workflow, message) => {
    const answer = await deliverPatiently(workflow, records);
    expect(answer).toMatchObject({
      status: 500,
      body: { message: expect.stringMatching(message), where: "replay" },
    });
    expect(recorder().requests).toEqual([]);
  });

  it("tells what it has thrown as the cause, and waits as long as that asks for", async () => {
    const error = new WorkflowRetryAfterError("busy", 90);
    const answer = await deliverPatiently(() => Promise.reject(error), [ran(1, "one")]);
    expect(answer).toMatchObject({
      status: 500,
      body: { where: "replay", cause: { error: "WorkflowRetryAfterError", message: "busy" } },
    });
    expect(answer.headers.get("Retry-After")).toBe("90000ms");
  });

  it.each<[string, StepRecord[], (context: WorkflowContext) => unknown, unknown]>([
    [
      "asks for the rest after it has returned",
      [ran(1, "one"), ran(2, "two")],
      async (c) => {
        void io(5).then(() => c.run("two", () => 1));
        await c.run("one", () => 1);
        return "done";
      },
      "done",
    ],
    [
      "has a race whose loser asks for more",
      [plan(1, "a"), plan(2, "b"), done(1, "a"), done(2, "b"), ran(3, "b2")],
      (c) => Promise.race([c.run("a", () => 1), c.run("b", () => 1).then(() => c.run("b2", () => 1))]),
      1,
    ],
    ["doesn't ask for anything, and cancels its run", [ran(1, "one")], (c) => c.cancel(), null],
    [
      "takes another way behind a step that was rolled back and ran anew",
      [ran(1, "kept"), ran(3, "old way"), { ...ran(2, "again"), out: "2" }],
      async (c) => {
        await c.run("kept", () => 1);
        return (await c.run("again", () => 1)) === 1 ? c.run("old way", () => 1) : "new way";
      },
      "new way",
    ],
  ])("but %s, may end", async (_name, records, workflow, result) => {
    expect(await deliver(open(recorder(), workflow), records)).toMatchObject({ status: 200 });
    expect(recorder().returned[0] || "null").toBe(JSON.stringify(result));
  });

  it("but has thrown while a branch was about to ask, fails with what it has thrown", async () => {
    const workflow = async (c: WorkflowContext) => {
      void io(5).then(() => c.run("two", () => 1));
      await c.run("one", () => 1);
      throw new RangeError("its own");
    };
    expect(await deliver(open(recorder(), workflow), [ran(1, "one"), ran(2, "two")])).toMatchObject({
      status: 500,
      body: { error: "RangeError", message: "its own", where: "after-last-step" },
    });
  });

  it("but goes another way by new steps behind one that ran anew, goes on", async () => {
    const records = [ran(3, "old way"), ran(1, "again"), ran(2, "after it")];
    const workflow = async (c: WorkflowContext) => {
      await c.run("again", () => 1);
      await c.run("after it", () => 1);
      await c.run("new way", () => "new");
    };
    expect(await deliver(open(recorder(), workflow), records)).toMatchObject({ status: 200 });
    expect(recorder().records).toMatchObject([{ stepId: 4, stepName: "new way", concurrent: 1 }]);
  });

  it("isn't one whose late branch has asked while a step runs longer than that", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const timer = vi.spyOn(globalThis, "setTimeout");
    const workflow = async (c: WorkflowContext) => {
      await Promise.all([
        io(5).then(() => c.run("late", () => 1)),
        c.run("long", async () => {
          vi.advanceTimersByTime(10_000);
          await io(5);
        }),
      ]);
    };
    expect(await deliver(open(recorder(), workflow), [ran(1, "late")])).toMatchObject({ status: 200 });
    expect(timer).toHaveBeenCalledWith(expect.any(Function), 2000);
    expect(recorder().records).toMatchObject([{ stepId: 2, stepName: "long" }]);
  });

  it("or has a record that can't be read fails, and says which", async () => {
    const handler = open(recorder(), (context) => context.run("one", () => expect.unreachable()));
    expect(await deliver(handler, [{ ...ran(1, "one"), out: "{" }])).toMatchObject({
      body: { message: expect.stringContaining('"one" isn\'t JSON') },
    });
  });
});
