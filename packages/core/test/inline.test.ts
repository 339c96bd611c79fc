import { base64, history, request, runHeaders } from "@perdure/test-support/delivery";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type ServeOptions,
  type WorkflowContext,
  type WorkflowFunction,
  WorkflowMiddleware,
  WorkflowNonRetryableError,
} from "../src/index.ts";
import type { InlineAppends } from "../src/protocol/index.ts";
import { TestEngine } from "./support/engine.ts";
import { answerOf, open, useRecorder } from "./support/fixture.ts";

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

  it.each([
    ["none", {}, "1"],
    ["some", { rollbackOnCancel: true, retries: 5 }, "1, on-cancel, retries=5"],
  ])("says the endpoint's options with the invocation's first append: %s", async (_name, options, said) => {
    const engine = start(ten, options);
    await engine.run();
    const expected = [said, ...Array(8).fill(undefined)];
    expect(engine.appends.map(({ capabilities }) => capabilities)).toEqual(expected);
  });

  it("of one step needs no append", async () => {
    const engine = start((context) => context.run("only", () => 1));
    expect(await engine.run()).toMatchObject({ result: 1, deliveries: 1 });
    expect(engine.appends).toEqual([]);
  });
});

it("a record says whether other steps were pending: side by side, and not one after the other", async () => {
  const engine = start(async (context) => {
    await context.run("first", () => 1);
    await Promise.all([context.run("a", () => io(2)), context.run("b", () => io(9))]);
    await context.run("last", () => 1);
  });
  await engine.run();
  expect(engine.records.map(({ stepName, parallel }) => [stepName, parallel])).toEqual([
    ["first", undefined],
    ["a", true],
    ["b", true],
    ["last", undefined],
  ]);
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
    let retried = () => {};
    const third = new Promise<void>((resolve) => {
      retried = resolve;
    });
    const engine = start((context) =>
      Promise.all([
        context.run("fails", ({ attempt }) => {
          if (attempt < 3) throw new Error("no");
          retried();
          return attempt;
        }),
        context.run("slow", () => third.then(() => "slow")),
      ]),
    );
    engine.retryDelayMs = 5;
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: [3, "slow"], deliveries: 1 });
  });
});

describe("two branches that fail for good at about the same time", () => {
  it.each([0, 1, 5, 40])("fail the run: the second %i turns after the first", async (turns) => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const engine = start((context) =>
      Promise.all([
        context.run("one", () => Promise.reject(new WorkflowNonRetryableError("never"))),
        context.run("other", () =>
          io(turns).then(() => Promise.reject(new WorkflowNonRetryableError("neither"))),
        ),
      ]),
    );
    expect(await engine.run()).toMatchObject({ state: "failed", deliveries: 1 });
  });
});

describe("an invocation that has lost its run", () => {
  it.each([
    ["a stale holder's write is refused", "lease_lost"],
    ["the run is cancelled while a step is under way", "run_over"],
  ] as const)("%s: it answers 409, begins nothing more, and aborts its signals", async (_name, error) => {
    const begun: string[] = [];
    let aborted = false;
    const engine = start((context) =>
      Promise.all([
        context
          .run("quick", () => void begun.push("quick"))
          .then(() => context.run("next", () => void begun.push("next"))),
        context.run("slow", async ({ signal }) => {
          await io(40);
          aborted ||= signal.aborted;
        }),
      ]),
    );
    engine.onAppend = (_append, count) => {
      if (count !== 2) return;
      if (error === "run_over") engine.cancel();
      else engine.takeOver();
    };
    const answered = engine.run();
    await answered;
    const [lost] = engine.answers;
    expect(lost).toMatchObject({ status: 409, body: { error } });
    expect(lost?.headers.get("Perdure-Lease")).toBe("lease_1");
    expect(aborted).toBe(true);
    expect(begun.filter((name) => name === "next")).toHaveLength(error === "run_over" ? 0 : 1);
  });

  it("a delivery that arrived twice: the records of its other invocation are on disk", async () => {
    const begun: string[] = [];
    const record = { stepId: 1, stepName: "a", stepType: "Run", concurrent: 1, out: '"of the other"' };
    const entry = { messageId: "msg_2", callType: "step", body: base64(JSON.stringify(record)) };
    recorder().answer = () => ({ body: { appends: [{ news: [{ entry }] }] } });
    const answer = await deliverWith({}, async (context) => {
      await context.run("a", () => begun.push("a"));
      await context.run("b", () => begun.push("b"));
    });
    expect(answer).toMatchObject({ status: 409, body: { error: "lease_lost" } });
    expect(begun).toEqual(["a"]);
  });

  it("a closed connection aborts the signals, and ends it", async () => {
    const closing = new AbortController();
    let reason: boolean | undefined;
    const handler = open(recorder(), (context) =>
      context.run("work", async ({ signal }) => {
        closing.abort();
        await io();
        reason = signal.aborted;
      }),
    );
    const headers = runHeaders({ "Perdure-Lease": "lease_1", "Perdure-Max-Retries": "3" });
    const delivery = new Request(request(history({}), headers), { signal: closing.signal });
    expect(await answerOf(handler(delivery))).toMatchObject({ status: 409, body: { error: "lease_lost" } });
    expect(reason).toBe(true);
  });
});

describe("appends that fail", () => {
  const failing = (engine: TestEngine) => {
    const answer = recorder().answer;
    recorder().answer = (sent) =>
      sent.path === "/v2/workflows/append" ? { status: 500, body: { error: "no" } } : answer(sent);
    return engine;
  };
  it("end the invocation with its records in the answer, and the run goes on", async () => {
    const engine = failing(
      start(async (context) => (await context.run("a", () => 1)) + (await context.run("b", () => 2))),
    );
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: 3, deliveries: 2 });
  });

  it("leave branches going, one step a delivery", async () => {
    const engine = failing(
      start((context) => Promise.all(["a", "b", "c"].map((name) => context.run(name, () => name)))),
    );
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: ["a", "b", "c"] });
  });

  it("a record that the engine refuses fails the run, and the work isn't repeated", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    let begun = 0;
    const engine = start(async (context) => {
      await context.run("large", () => ++begun);
      await context.run("after", () => 2);
    });
    recorder().answer = () => ({ body: { appends: [{ error: "refused", message: "too large" }] } });
    const { state, answer } = await engine.run();
    expect({ state, begun }).toEqual({ state: "failed", begun: 1 });
    expect(answer).toMatchObject({
      status: 489,
      body: { message: expect.stringContaining("too large"), step: { name: "large" } },
    });
  });
});

describe("a result that is too large for the answer", () => {
  const large = "x".repeat(200_000);
  const workflow = async (context: WorkflowContext) => {
    await context.run("work", () => 1);
    return large;
  };

  it("ends the run by a request of its own, after an append of the records", async () => {
    const engine = start(workflow);
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: large, deliveries: 1 });
    expect(engine.finished).toEqual(["work"]);
    const [end] = recorder().requests.filter(({ method }) => method === "DELETE");
    expect(end?.headers["perdure-lease"]).toBe("lease_1");
  });

  it("doesn't end the run once another invocation holds it", async () => {
    const engine = start(workflow);
    let taken = false;
    engine.onAppend = () => {
      if (!taken) engine.takeOver();
      taken = true;
    };
    expect(await engine.run()).toMatchObject({ state: "succeeded", deliveries: 2 });
    expect(engine.answers.map(({ status }) => status)).toEqual([409, 200]);
    expect(recorder().requests.filter(({ method }) => method === "DELETE")).toHaveLength(1);
  });

  it("waits for the next invocation when the engine takes no append", async () => {
    const engine = start(workflow);
    const { answer } = recorder();
    let count = 0;
    recorder().answer = (sent) =>
      sent.path === "/v2/workflows/append" && count++ < 3
        ? { status: 500, body: { error: "no" } }
        : answer(sent);
    expect(await engine.run()).toMatchObject({ state: "succeeded", result: large, deliveries: 2 });
    expect(engine.finished).toEqual(["work"]);
  });
});

describe("a budget", () => {
  const four = async (context: WorkflowContext) => {
    for (const name of ["a", "b", "c", "d"]) await context.run(name, () => name);
    return "done";
  };
  it("of steps hands the next step back", async () => {
    const engine = start(four, { inline: { maxSteps: 2 } });
    expect(await engine.run()).toMatchObject({ result: "done", deliveries: 2 });
    expect(engine.finished).toEqual(["a", "b", "c", "d"]);
  });

  it("of steps holds for branches, too", async () => {
    const engine = start(
      (context) => Promise.all(["a", "b", "c"].map((name) => context.run(name, () => name))),
      {
        inline: { maxSteps: 1 },
      },
    );
    expect(await engine.run()).toMatchObject({ result: ["a", "b", "c"], deliveries: 3 });
  });

  it("of time cuts no code off, and a workflow without steps never loops", async () => {
    const engine = start(four, { inline: { maxDuration: 0 } });
    expect(await engine.run()).toMatchObject({ result: "done", deliveries: 4 });
    const idle = start(() => io(5).then(() => "idle"), { inline: { maxDuration: 0 } });
    expect(await idle.run()).toMatchObject({ result: "idle", deliveries: 1 });
  });

  it("is the platform's where the options don't name it", async () => {
    const onPlatform = (options: ServeOptions) =>
      new TestEngine("inline", recorder(), () => {
        const handler = open(recorder(), four, options);
        return (incoming, env) => handler(incoming, env, { maxSteps: 1 });
      });
    expect(await onPlatform({}).run()).toMatchObject({ result: "done", deliveries: 4 });
    expect(await onPlatform({ inline: { maxWait: 0 } }).run()).toMatchObject({ deliveries: 4 });
    expect(await onPlatform({ inline: { maxSteps: 2 } }).run()).toMatchObject({ deliveries: 2 });
  });

  it("is twenty steps on Cloudflare Workers", async () => {
    vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
    const engine = start(async (context) => {
      for (let at = 1; at <= 50; at++) await context.run(`step ${at}`, () => at);
    });
    expect(await engine.run()).toMatchObject({ state: "succeeded", deliveries: 3 });
    expect(engine.appends).toHaveLength(47);
    vi.unstubAllGlobals();
  });

  it("is none with inline: false: each delivery runs one step", async () => {
    const { body } = await deliverWith({ inline: false }, four);
    expect(body).not.toHaveProperty("perdure");
    expect(recorder().records).toMatchObject([{ stepId: 1, stepName: "a" }]);
  });

  it.each([
    [{ maxSteps: 0 }, /inline.maxSteps must be a whole number from 1 on; got 0/],
    [{ maxDuration: "soon" }, /inline.maxDuration must be a number of seconds/],
    [{ maxWait: -1 }, /inline.maxWait/],
    [{ maxTime: 1 }, /Unknown option "maxTime" of inline/],
  ])("that makes no sense is refused: %j", (inline, message) => {
    expect(() => open(recorder(), four, { inline } as ServeOptions)).toThrow(message);
  });
});

describe("a step at most once", () => {
  const once = (options: object = {}) => {
    const begun: number[] = [];
    const workflow: WorkflowFunction = async (context) => {
      await context.run("before", () => 1);
      try {
        await context.run("launch", () => io(2).then(() => void begun.push(1)), {
          atMostOnce: true,
          ...options,
        });
      } catch (error) {
        return String((error as Error).cause);
      }
      return "launched";
    };
    return { workflow, begun };
  };
  it("is recorded as begun before it begins", async () => {
    const { workflow, begun } = once();
    const engine = start(workflow);
    expect(await engine.run()).toMatchObject({ result: "launched", deliveries: 1 });
    expect(engine.appends.at(-1)?.records.map(({ kind }) => kind)).toEqual(["result", "begin"]);
    expect(begun).toHaveLength(1);
  });

  it("is begun by one of two invocations of a delivery that arrived twice", async () => {
    const { workflow, begun } = once({ onExhausted: "throw" });
    const handler = open(recorder(), workflow);
    let first: string | undefined;
    // Like the engine: the lease belongs to the first invocation that appends.
    recorder().answer = ({ body }) => ({
      body: {
        appends: (JSON.parse(body) as InlineAppends).appends.map(({ invocation, records }) => {
          first ??= invocation;
          const isFirst = invocation === first;
          return isFirst ? { news: records.map((_, own) => ({ own })) } : { error: "lease_lost" };
        }),
      },
    });
    const headers = runHeaders({ "Perdure-Lease": "lease_1", "Perdure-Max-Retries": "3" });
    const deliver = () => answerOf(handler(request(history({}), headers)));
    const answers = await Promise.all([deliver(), deliver()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(begun).toHaveLength(1);
  });

  it("isn't begun again after a crash: it fails, and the workflow can catch that", async () => {
    for (const stored of [true, false]) {
      const { workflow, begun } = once({ onExhausted: "throw" });
      const engine = start(workflow);
      engine.crash = { append: 1, stored };
      const { state, result } = await engine.run();
      expect(state).toBe("succeeded");
      if (stored) expect(result).toMatch(/WorkflowStepInterrupted: Step "launch" has atMostOnce/);
      else expect(result).toBe("launched");
      expect(begun).toHaveLength(stored ? 0 : 1);
    }
  });

  it("has no retries, and is refused where nothing can be recorded before it", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { workflow, begun } = once();
    const engine = start((context) =>
      context.run("launch", () => Promise.reject(new Error("no")), { atMostOnce: true }),
    );
    expect(await engine.run()).toMatchObject({ state: "failed", deliveries: 1 });
    const answer = await deliverWith({ inline: false }, (context) =>
      context.run("launch", () => void begun.push(1), { atMostOnce: true }),
    );
    expect(answer).toMatchObject({
      status: 489,
      body: { message: expect.stringContaining("needs inline execution") },
    });
    expect(begun).toEqual([]);
    const misuse = await deliverWith({}, (context) =>
      context.run("x", () => 1, { atMostOnce: true, retries: 2 }),
    );
    expect(misuse.body.message).toMatch(/retries of step "x" must be 0 with atMostOnce/);
    void workflow;
  });
});

describe("a step's work receives", () => {
  it("the same idempotency key in each attempt and after a resumption, and another one for each step", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const keys: string[] = [];
    const engine = start(async (context) => {
      await context.run("größe", ({ idempotencyKey, attempt }) => {
        keys.push(idempotencyKey);
        if (attempt === 1) throw new Error("again");
      });
      await context.run("größe", ({ idempotencyKey }) => void keys.push(idempotencyKey));
    });
    engine.originalRunId = "wfr_first";
    await engine.run();
    expect(keys).toEqual([
      "wfr_first/Run/1/gr%C3%B6%C3%9Fe",
      "wfr_first/Run/1/gr%C3%B6%C3%9Fe",
      "wfr_first/Run/2/gr%C3%B6%C3%9Fe",
    ]);
  });

  it("and gives back what a replay would give: a date is a string", async () => {
    const engine = start(async (context) => typeof (await context.run("date", () => new Date(0))));
    expect(await engine.run()).toMatchObject({ result: "string", deliveries: 1 });
  });
});

describe("middlewares", () => {
  it("are told of each step once, in one invocation or in several", async () => {
    const heard: string[] = [];
    const tell = (event: string) => (details: object) =>
      void heard.push(`${event} ${"stepName" in details ? details.stepName : ""}`.trim());
    const middleware = new WorkflowMiddleware({
      name: "listener",
      callbacks: Object.fromEntries(
        ["runStarted", "beforeExecution", "afterExecution", "runCompleted", "onError"].map((event) => [
          event,
          tell(event),
        ]),
      ),
    });
    const engine = start(
      async (context) => {
        await context.run("a", () => 1);
        await context.sleep("nap", "1h");
        await context.run("b", () => 2);
      },
      { middlewares: [middleware] },
    );
    await engine.run();
    expect(heard).toEqual([
      "runStarted",
      ...["beforeExecution a", "beforeExecution nap", "afterExecution a"],
      ...["afterExecution nap", "beforeExecution b", "afterExecution b", "runCompleted"],
    ]);
  });
});

describe("a step that fails for good beside others", () => {
  it("begins nothing more, aborts the others, and records what they come to", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    let aborted = false;
    const undone: string[] = [];
    const rollback = (name: string) => ({ rollback: () => void undone.push(name) });
    const engine = start((context) =>
      Promise.all([
        context.run("fatal", () => Promise.reject(new WorkflowNonRetryableError("never")), rollback("fatal")),
        context.run(
          "slow",
          async ({ signal }) => {
            await io(20);
            aborted = signal.aborted;
            return "slow";
          },
          rollback("slow"),
        ),
      ]),
    );
    expect(await engine.run()).toMatchObject({
      state: "failed",
      answer: { status: 489, body: { message: "never" } },
    });
    expect(aborted).toBe(true);
    expect(engine.finished).toEqual(["slow"]);
    await engine.report();
    expect(undone).toEqual(["fatal", "slow"]);
  });
});

describe("a run that cancels itself", () => {
  it("is over at once, its records on disk", async () => {
    const engine = start(async (context) => {
      await context.run("a", () => 1);
      await context.cancel();
    });
    expect(await engine.run()).toMatchObject({ state: "canceled", deliveries: 1 });
    expect(engine.finished).toEqual(["a"]);
  });

  it("tells the engine which steps are under way", async () => {
    let cancel = () => {};
    const engine = start(async (context) => {
      const cancelled = new Promise<void>((resolve) => {
        cancel = resolve;
      });
      const charge = context.run("charge", () => {
        cancel();
        return new Promise(() => {});
      });
      const end = cancelled.then(() => context.cancel());
      await Promise.all([charge, end]);
    });
    expect(await engine.run()).toMatchObject({ state: "canceled", deliveries: 1 });
    expect(engine.underWay).toEqual([{ name: "charge", type: "Run", nth: 1 }]);
  });
});

function deliverWith(options: ServeOptions, workflow: WorkflowFunction) {
  const headers = runHeaders({ "Perdure-Lease": "lease_1", "Perdure-Max-Retries": "3" });
  return answerOf(open(recorder(), workflow, options)(request(history({}), headers)));
}
