import { CREATED, done, plan, ran, resume } from "../support/deliveries.ts";
import { type Scenario, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";

/** A workflow of one step, that is asked for its first. */
export const firstStep = (
  step: (context: Context) => Promise<unknown>,
  more: Partial<Scenario> = {},
): Omit<Scenario, "name"> => ({ workflow: step, deliveries: [resume()], ...more });

export const runs = topic("run", {
  "one after the other": {
    workflow: async (context) => {
      const one = await context.run("one", () => ({ x: 1 }));
      const two = await context.run("two", async () => [one.x, "é"]);
      return { one, two };
    },
    deliveries: [
      resume(),
      resume([ran(1, "one", { x: 1 })]),
      resume([ran(1, "one", { x: 1 }), ran(2, "two", [1, "é"])]),
    ],
  },
  "a result that is undefined": firstStep((context) => context.run("one", () => undefined)),
  "a result that is null": firstStep((context) => context.run("one", () => null)),
  "a result that is a text": firstStep((context) => context.run("one", () => "text")),
  "a result that is a date": firstStep((context) => context.run("one", () => new Date(CREATED))),
  "a result with a map and a NaN": firstStep((context) =>
    context.run("one", () => ({ map: new Map([[1, 2]]), nan: Number.NaN, gone: undefined })),
  ),
  "a result that JSON can't carry": firstStep((context) => context.run("one", (): unknown => 1n)),
  "a result that holds itself": firstStep((context) =>
    context.run("one", () => {
      const round: Record<string, unknown> = {};
      round.self = round;
      return round;
    }),
  ),
  "a name that isn't ASCII": firstStep((context) => context.run("één 日本", () => 1)),
  "a name that is empty": firstStep((context) => context.run("", () => 1)),
  "a name that isn't a text": firstStep((context) => context.run(7 as never, () => 1)),
  "a step in a step": firstStep((context) =>
    context.run("outer", () => {
      void context.run("inner", () => 1).catch(() => undefined);
      return 2;
    }),
  ),
  "code before and between the steps": {
    workflow: async (context, { note }) => {
      note("before");
      await context.run("one", () => note("in the step"));
      note("after");
      await context.run("two", () => 2);
    },
    deliveries: [resume(), resume([ran(1, "one")])],
  },
  "a step that is caught": {
    workflow: async (context, { note }) => {
      try {
        await context.run("one", () => 1);
      } catch (error) {
        note(error instanceof Error);
      } finally {
        note("finally");
      }
      return context.run("two", () => 2);
    },
    deliveries: [resume([ran(1, "one", 1)])],
  },
  "a step that isn't on record yet, caught": {
    workflow: async (context, { note }) => {
      await context.run("one", () => 1);
      try {
        await context.run("two", () => 2);
      } catch {
        note("caught");
      }
      return "after";
    },
    deliveries: [resume([ran(1, "one", 1)])],
  },
});

export const ends = topic("end", {
  "with a result": {
    workflow: async (context) => ({ one: await context.run("one", () => 1) }),
    deliveries: [resume([ran(1, "one", 1)])],
  },
  "without a result": {
    workflow: async (context) => void (await context.run("one", () => 1)),
    deliveries: [resume([ran(1, "one", 1)])],
  },
  "with a text": {
    workflow: async (context) => (await context.run("one", () => 1)) && "text",
    deliveries: [resume([ran(1, "one", 1)])],
  },
  "with a result that JSON can't carry": {
    workflow: async (context) => BigInt(await context.run("one", () => 1)),
    deliveries: [resume([ran(1, "one", 1)])],
  },
  "before the first step": { workflow: async () => "early", deliveries: [resume()] },
  "that the engine knows already": {
    workflow: (context) => context.run("one", () => 1),
    deliveries: [resume([ran(1, "one", 1)])],
    engine: ({ method }) => (method === "DELETE" ? { status: 404, body: { error: "no" } } : undefined),
  },
  "that the engine can't record": {
    workflow: (context) => context.run("one", () => 1),
    deliveries: [resume([ran(1, "one", 1)])],
    engine: ({ method }) => (method === "DELETE" ? { status: 500, body: { error: "no" } } : undefined),
  },
  "by cancelling": {
    workflow: async (context) => {
      await context.run("one", () => 1);
      await context.cancel();
    },
    deliveries: [resume([ran(1, "one", 1)])],
  },
  "by cancelling before the first step": {
    workflow: (context) => context.cancel(),
    deliveries: [resume()],
  },
  "by cancelling in a step": firstStep((context) => context.run("one", () => context.cancel())),
  "by cancelling in a group's member": {
    workflow: (context) =>
      Promise.all([context.run("one", () => context.cancel()), context.run("two", () => 2)]),
    deliveries: [resume([plan(1, "one", "Run")])],
  },
  "by cancelling what has ended": {
    workflow: (context) => context.cancel(),
    deliveries: [resume()],
    engine: () => ({ status: 404, body: { error: "no" } }),
  },
});

export const sleeps = topic("sleep", {
  "for seconds": firstStep((context) => context.sleep("nap", 5)),
  "for part of a second": firstStep((context) => context.sleep("nap", 1.6)),
  "for a duration": firstStep((context) => context.sleep("nap", "1d")),
  "for no time": firstStep((context) => context.sleep("nap", 0)),
  "for a duration that isn't one": firstStep((context) => context.sleep("nap", "soon" as never)),
  "until a date": firstStep((context) => context.sleepUntil("nap", new Date("2030-03-17T17:46:40.600Z"))),
  "until a date as a text": firstStep((context) => context.sleepUntil("nap", "2030-03-17T17:46:40Z")),
  "until a Unix time": firstStep((context) => context.sleepUntil("nap", 1_900_000_000)),
  "until a Unix time with a fraction": firstStep((context) => context.sleepUntil("nap", 1_900_000_000.4)),
  "until what isn't a date": firstStep((context) => context.sleepUntil("nap", "soon")),
  "and what comes after it": {
    workflow: async (context) => {
      const slept = await context.sleep("nap", 5);
      const until = await context.sleepUntil("later", 1_900_000_000);
      return context.run("one", () => [typeof slept, typeof until]);
    },
    deliveries: [
      resume([done(1, "nap", "SleepFor")]),
      resume([done(1, "nap", "SleepFor"), done(2, "later", "SleepUntil")]),
    ],
  },
});
