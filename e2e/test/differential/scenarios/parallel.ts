import { base64, done, plan, ran, resume } from "../support/deliveries.ts";
import { own, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";

const two = async (context: Context) => {
  const both = await Promise.all([context.run("a", () => "A"), context.run("b", () => "B")]);
  return context.run("after", () => both);
};
const plans = [plan(1, "a", "Run"), plan(2, "b", "Run")];

export const groups = topic("group of two runs", {
  "asked for": { workflow: two, deliveries: [resume()] },
  "its first member": { workflow: two, deliveries: [resume(plans.slice(0, 1))] },
  "its second member": { workflow: two, deliveries: [resume(plans)] },
  "half of it is done": { workflow: two, deliveries: [resume([...plans, ran(1, "a", "A", 2)])] },
  "it is done": {
    workflow: two,
    deliveries: [resume([...plans, ran(1, "a", "A", 2), ran(2, "b", "B", 2)])],
  },
  "it is done, the second member first": {
    workflow: two,
    deliveries: [resume([...plans, ran(2, "b", "B", 2), ran(1, "a", "A", 2)])],
  },
  "and what comes after it": {
    workflow: two,
    deliveries: [resume([...plans, ran(1, "a", "A", 2), ran(2, "b", "B", 2), ran(3, "after", ["A", "B"])])],
  },
  "whose member fails": {
    workflow: (context) =>
      Promise.all([
        context.run("a", () => {
          throw new RangeError(own("boom"));
        }),
        context.run("b", () => "B"),
      ]),
    deliveries: [resume([plan(1, "a", "Run")])],
  },
  "whose member fails for good": {
    workflow: (context, { sdk }) =>
      Promise.all([
        context.run("a", () => {
          throw new sdk.WorkflowNonRetryableError(own("boom"));
        }),
        context.run("b", () => "B"),
      ]),
    deliveries: [resume([plan(1, "a", "Run")])],
  },
  "after a step": {
    workflow: async (context) => {
      await context.run("before", () => 1);
      return two(context);
    },
    deliveries: [
      resume([ran(1, "before", 1)]),
      resume([ran(1, "before", 1), plan(2, "a", "Run"), plan(3, "b", "Run")]),
    ],
  },
  "after a group": {
    workflow: async (context) => {
      await Promise.all([context.run("a", () => "A"), context.run("b", () => "B")]);
      await Promise.all([context.run("c", () => "C"), context.run("d", () => "D")]);
    },
    deliveries: [resume([...plans, ran(1, "a", "A", 2), ran(2, "b", "B", 2)])],
  },
});

const race = (context: Context) => Promise.race([context.run("a", () => "A"), context.run("b", () => "B")]);
const settled = (context: Context) =>
  Promise.allSettled([context.run("a", () => "A"), context.run("b", () => "B")]);
const finished = [...plans, ran(2, "b", "B", 2), ran(1, "a", "A", 2)];

const chains = (context: Context) =>
  Promise.all([
    (async () => {
      await context.run("a", () => "A");
      return context.run("after a", () => 1);
    })(),
    context.run("b", () => "B"),
  ]);

export const otherGroups = topic("group of another form", {
  "a race": { workflow: race, deliveries: [resume(), resume(plans.slice(0, 1)), resume(finished)] },
  "half of a race": { workflow: race, deliveries: [resume(finished.slice(0, 3))] },
  allSettled: { workflow: settled, deliveries: [resume(), resume(plans.slice(0, 1)), resume(finished)] },
  "a branch of two steps": {
    workflow: chains,
    deliveries: [
      resume(),
      resume([...plans, ran(1, "a", "A", 2)]),
      resume([...plans, ran(1, "a", "A", 2), ran(2, "b", "B", 2)]),
    ],
  },
  "that is caught": {
    workflow: async (context) => {
      try {
        return await Promise.all([context.run("a", () => "A"), context.run("b", () => "B")]);
      } catch {
        return "caught";
      }
    },
    deliveries: [resume(), resume(finished)],
  },
});

const THERE = "https://third.example.com/";
const hook = { webhookUrl: "https://qstash.example.com/hook", eventId: "evt_1" };
const size = { concurrent: 8 };

const mixed = async (context: Context) => {
  const all = await Promise.all([
    context.run("run", () => 1),
    context.sleep("sleep", 5),
    context.sleepUntil("until", 1_900_000_000),
    context.call("call", { url: THERE }),
    context.waitForEvent("wait", "evt", { timeout: 60 }),
    context.notify("notify", "evt", { b: 1 }),
    context.waitForWebhook("hook", hook, "1h"),
    context.createWebhook("make"),
  ]);
  return context.run("after", () => all);
};

const mixedPlans = [
  plan(1, "run", "Run", size),
  plan(2, "sleep", "SleepFor", { ...size, sleepFor: 5 }),
  plan(3, "until", "SleepUntil", size),
  plan(4, "call", "Call", size),
  plan(5, "wait", "Wait", { ...size, waitEventId: "evt", timeout: "60s" }),
  plan(6, "notify", "Notify", size),
  plan(7, "hook", "WaitForWebhook", { ...size, waitEventId: "evt_1", timeout: "1h" }),
  plan(8, "make", "CreateWebhook", size),
];

const mixedResults = [
  ran(1, "run", 1, 8),
  done(2, "sleep", "SleepFor", size),
  done(3, "until", "SleepUntil", size),
  done(4, "call", "Call", { ...size, out: '{"status":200,"body":"{}","header":{}}' }),
  done(5, "wait", "Wait", { ...size, out: base64("7"), waitEventId: "evt" }),
  done(6, "notify", "Notify", { ...size, out: '{"eventId":"evt","notifyResponse":[]}' }),
  done(7, "hook", "WaitForWebhook", { ...size, waitTimeout: true, waitEventId: "evt_1" }),
  done(8, "make", "CreateWebhook", { ...size, out: JSON.stringify(hook) }),
];

const member = (count: number) => ({ workflow: mixed, deliveries: [resume(mixedPlans.slice(0, count))] });

export const mixedGroups = topic("group of all kinds", {
  "asked for": { workflow: mixed, deliveries: [resume()] },
  "its run": member(1),
  "its sleep": member(2),
  "its sleepUntil": member(3),
  "its call": member(4),
  "its waitForEvent": member(5),
  "its notify": member(6),
  "its waitForWebhook": member(7),
  "its createWebhook": member(8),
  "half of it is done": {
    workflow: mixed,
    deliveries: [resume([...mixedPlans, ...mixedResults.slice(0, 4)])],
  },
  "it is done": { workflow: mixed, deliveries: [resume([...mixedPlans, ...mixedResults])] },
});
