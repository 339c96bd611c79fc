import { lazy, plan, ran, resume } from "../support/deliveries.ts";
import { own, type Scenario, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";

const told =
  (sayings: { fail?: boolean } = {}): NonNullable<Scenario["options"]> =>
  ({ sdk, note }) => ({
    middlewares: [
      new sdk.WorkflowMiddleware({
        name: "own",
        callbacks: {
          runStarted: ({ context }) => {
            note(["runStarted", context.workflowRunId]);
            if (sayings.fail) throw new Error("own: middleware");
          },
          beforeExecution: ({ stepName }) => note(["beforeExecution", stepName]),
          afterExecution: ({ stepName, result }) => note(["afterExecution", stepName, result ?? null]),
          runCompleted: ({ result }) => note(["runCompleted", result ?? null]),
          onError: ({ workflowRunId }) => note(["onError", workflowRunId ?? null]),
        },
      }),
    ],
  });

const two = async (context: Context) => {
  const one = await context.run("one", () => 1);
  const [a] = await Promise.all([context.run("a", () => "A"), context.sleep("b", 5)]);
  return [one, a];
};

const one = ran(1, "one", 1);
const plans = [plan(2, "a", "Run"), plan(3, "b", "SleepFor", { sleepFor: 5 })];
const results = [ran(2, "a", "A", 2), { ...ran(3, "b", undefined, 2), stepType: "SleepFor" as const }];
const delivered = (...steps: Parameters<typeof resume>[0] & object): Omit<Scenario, "name"> => ({
  workflow: two,
  options: told(),
  deliveries: [resume(steps)],
});

export const middlewares = topic("middleware", {
  "at the start": delivered(),
  "before a group": delivered(one),
  "at a member of a group": delivered(one, ...plans),
  "at half of a group": delivered(one, ...plans, ...results.slice(0, 1)),
  "at the end": delivered(one, ...plans, ...results),
  "after an error": {
    workflow: (context) => context.run("one", () => Promise.reject(new Error("own: boom"))),
    options: told(),
    deliveries: [resume()],
  },
  "that throws": { workflow: two, options: told({ fail: true }), deliveries: [resume()] },
  "that is made when it is needed": {
    workflow: two,
    options: ({ sdk, note }) => ({
      middlewares: [
        new sdk.WorkflowMiddleware({
          name: "own",
          init: () => {
            note("init");
            return { runStarted: () => note("runStarted") };
          },
        }),
      ],
    }),
    deliveries: [resume(), resume()],
  },
  "of a fetched history": {
    workflow: two,
    options: told(),
    deliveries: [lazy("msg_0")],
    engine: ({ method }) =>
      method === "GET" ? { body: JSON.parse(resume().body as string) as unknown } : undefined,
  },
});

/** Told of what is neither a run's life nor a step's: that it was told, and not in which words. */
const overheard = (
  events: readonly ("onInfo" | "onWarning" | "onError")[],
  workflow: NonNullable<Scenario["workflow"]> = step,
  { env = {}, ...more }: Partial<Scenario> & { env?: Record<string, string> } = {},
): Omit<Scenario, "name"> => ({
  workflow,
  deliveries: [resume()],
  options: ({ sdk, note }) => {
    const callbacks = Object.fromEntries(events.map((event) => [event, () => note(event)]));
    return { env, middlewares: [new sdk.WorkflowMiddleware({ name: "own", callbacks })] };
  },
  ...more,
});

const step = (context: Context) => context.run("one", () => 1);
const KEYS = { QSTASH_CURRENT_SIGNING_KEY: "sig_current", QSTASH_NEXT_SIGNING_KEY: "sig_next" };

export const overhearing = topic("middleware hears", {
  "of what goes well": overheard(["onInfo"]),
  "of a delivery that comes twice": overheard(["onWarning"], step, { deliveries: [resume([one, one])] }),
  "of a run that has ended": overheard(["onWarning"], step, {
    engine: ({ method }) => ({ status: method === "POST" ? 400 : 404, body: { error: "no" } }),
  }),
  "of an error": overheard(["onError"], (context) =>
    context.run("one", () => Promise.reject(new Error(own("boom")))),
  ),
  "of an error that isn't to be retried": overheard(["onError"], (context, { sdk }) =>
    context.run("one", () => Promise.reject(new sdk.WorkflowNonRetryableError(own("boom")))),
  ),
  "of a request without a signature": overheard(["onError"], step, { env: KEYS }),
});
