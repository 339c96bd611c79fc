import { type WorkflowContext, WorkflowNonRetryableError } from "@perdure/core";
import { MODE } from "@perdure/test-support/mode";
import { expect } from "vitest";
import { z } from "zod";
import { CHILD, RETRIES, type Way, type World } from "./world.ts";

const boom = (message = "boom"): never => {
  throw new RangeError(message, { cause: new TypeError("deeper") });
};

/** What is told of an error that was thrown. */
const thrown = (name: string, message: unknown, more: object = {}): object => ({
  failStatus: 500,
  failResponse: message,
  failStack: expect.stringContaining(typeof message === "string" ? message : "at "),
  attempts: RETRIES + 1,
  error: expect.objectContaining({ name, message }),
  step: undefined,
  ...more,
});

const step = (id: number, name: string, type = "Run"): object => ({
  where: "step",
  step: { id, name, type },
});

/** What is told when the endpoint gave no answer, or one that isn't a workflow's. */
const delivery = (failStatus: number, failResponse: unknown, more: object = {}): object => ({
  failStatus,
  failResponse,
  failStack: "",
  where: "delivery",
  step: undefined,
  attempts: RETRIES + 1,
  error: expect.objectContaining({ name: "WorkflowError", code: "delivery_failed" }),
  ...more,
});

const BOOM = {
  error: expect.objectContaining({
    name: "RangeError",
    cause: expect.objectContaining({ name: "TypeError", message: "deeper" }),
  }),
};
const ONCE = { attempts: 1 };
const FINAL = { failStatus: 489, attempts: 1 };

/** Completed steps, by their names. */
const after = (...names: string[]): { readonly steps: unknown[] } => ({
  steps: names.map((name, at) => expect.objectContaining({ id: at + 1, name })),
});

const twoSteps = async (context: WorkflowContext): Promise<void> => {
  await context.run("before", () => 1);
  await context.run("charge", () => 2);
};

type Answer = (world: World, request: Request) => Response | Promise<Response>;

const answering = (answer: Answer, told: object): Way => ({
  workflow: twoSteps,
  answer: (request, world) => answer(world, request),
  told: { ...after(), ...told },
});

/** The ways in which a run can fail. Each is made anew for each run. */
export const ways: Readonly<Record<string, () => Way>> = {
  "a step throws": () => ({
    workflow: async (context) => {
      await context.run("before", () => ({ x: 1 }));
      await context.run("charge", () => boom());
    },
    told: thrown("RangeError", "boom", {
      ...step(2, "charge"),
      ...BOOM,
      steps: [{ id: 1, name: "before", type: "Run", result: { x: 1 } }],
    }),
  }),
  "a step in a group throws": () => ({
    workflow: (context) =>
      Promise.all([context.run("a", () => 1), context.run("b", () => boom("in the group"))]),
    told: thrown("RangeError", "in the group", step(2, "b")),
  }),
  "a step in a nested chain throws": () => ({
    workflow: (context) =>
      Promise.all([
        context.run("a", () => 1),
        (async () => {
          await context.run("b", () => 2);
          await context.run("c", () => boom("in the chain"));
        })(),
      ]),
    told: thrown("RangeError", "in the chain", {
      ...step(3, "c"),
      // In the order in which they were recorded.
      steps: expect.arrayContaining(after("a", "b").steps),
    }),
  }),
  "a step throws an error that isn't to be retried": () => ({
    workflow: (context) =>
      context.run("charge", () => Promise.reject(new WorkflowNonRetryableError("the card is stolen"))),
    told: thrown("WorkflowNonRetryableError", "the card is stolen", { ...step(1, "charge"), ...FINAL }),
  }),
  "a step throws what isn't an error": () => ({
    workflow: (context) => context.run("charge", () => Promise.reject("only a text")),
    told: thrown("Error", "only a text", { ...step(1, "charge"), failStack: "" }),
  }),
  "a step's error has no message": () => ({
    workflow: (context) => context.run("charge", () => Promise.reject(new Error(""))),
    told: thrown("Error", "", step(1, "charge")),
  }),
  "a step's name and error aren't Latin": () => ({
    workflow: (context) => context.run("注文", () => boom("在庫切れ ✗")),
    told: thrown("RangeError", "在庫切れ ✗", step(1, "注文")),
  }),
  "the schema rejects the payload": () => ({
    workflow: () => expect.unreachable(),
    options: { schema: z.object({ n: z.string() }) },
    told: thrown("WorkflowError", expect.stringContaining("schema: n:"), {
      ...FINAL,
      where: "payload",
    }),
  }),
  "the payload's parser throws": () => ({
    workflow: () => expect.unreachable(),
    options: { initialPayloadParser: () => boom("unreadable") },
    told: thrown("RangeError", "unreadable", { where: "payload" }),
  }),
  "something throws before the first step": () => ({
    workflow: () => boom("too early"),
    told: thrown("RangeError", "too early", { where: "before-first-step", ...BOOM, ...after() }),
  }),
  "something throws after the last step": () => ({
    workflow: async (context) => {
      await context.run("one", () => 1);
      boom("too late");
    },
    told: thrown("RangeError", "too late", { where: "after-last-step", ...after("one") }),
  }),
  "a step's result can't be stored": () => ({
    workflow: (context) => context.run("charge", (): unknown => 1n),
    told: thrown("WorkflowError", expect.stringContaining("charge"), {
      ...step(1, "charge"),
      ...FINAL,
    }),
  }),
  "the workflow's result can't be stored": () => ({
    workflow: async (context) => {
      await context.run("one", () => 1);
      return 1n;
    },
    told: thrown("WorkflowError", expect.stringContaining("The workflow's result"), {
      ...FINAL,
      where: "after-last-step",
    }),
  }),
  "the workflow has changed": () => {
    let changed = false;
    return {
      workflow: async (context) => {
        if (changed) return context.run("another", () => 2);
        await context.run("one", () => 1);
        await context.sleep("rest", 1);
        changed = true;
        return boom("deployed meanwhile");
      },
      told: thrown("WorkflowError", expect.stringContaining('1 "one" (Run)'), {
        where: "replay",
        ...after("one", "rest"),
      }),
    };
  },
  "the endpoint can't be reached": () =>
    answering(() => Promise.reject(new Error("connect ECONNREFUSED")), {
      ...delivery(0, "connect ECONNREFUSED"),
      failBody: "",
      failHeaders: {},
    }),
  "the endpoint answers 503 with an empty body": () =>
    answering(
      () => new Response(null, { status: 503, headers: { "X-Trace": "t1" } }),
      delivery(503, "", { failBody: "", failHeaders: { "X-Trace": ["t1"] } }),
    ),
  "a proxy answers 504 with HTML": () =>
    answering(
      () => new Response("<h1>504</h1>", { status: 504, headers: { "Content-Type": "text/html" } }),
      delivery(504, "<h1>504</h1>", { failBody: "<h1>504</h1>" }),
    ),
  "the endpoint answers 404": () =>
    answering(() => new Response("not found", { status: 404 }), delivery(404, "not found")),
  "a delivery takes too long": () =>
    answering(
      async (world, { signal }) => {
        await world.alone();
        const cut = new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
        world.clock.advance(15 * 60_000);
        return cut;
      },
      delivery(0, "no answer within 900 s", { failBody: "" }),
    ),
  "the run takes longer than it may": () => ({
    workflow: async (context) => {
      await context.run("before", () => 1);
      await context.sleep("a day", "1d");
      await context.sleep("another", "1d");
    },
    options: { timeout: 90 },
    told: delivery(0, "the run has not ended within 90 s of its start", {
      ...ONCE,
      // With one step a delivery, a sleep is on record from its beginning on.
      ...after("before", ...(MODE === "inline" ? [] : ["a day"])),
      failBody: "",
    }),
  }),
  "the answer isn't a workflow's": () =>
    answering(
      () => new Response("hello"),
      delivery(200, expect.stringContaining("non-workflow destination"), { ...ONCE, failBody: "hello" }),
    ),
  "a page answers in the middle of the run": () => ({
    workflow: (context) => context.run("before", () => 1),
    // Inline, there is no middle: a run without waits has one delivery.
    options: { inline: false },
    answer: ({ headers }) =>
      headers.get("Upstash-Workflow-Init") === "true" ? undefined : new Response("<title>Log in</title>"),
    // Whatever the run's retries are.
    told: delivery(200, expect.stringContaining("isn't the workflow's"), {
      attempts: 4,
      failBody: "<title>Log in</title>",
    }),
  }),
  "the run stalls": () =>
    answering(
      () => new Response("{}", { headers: { "Upstash-Workflow-Sdk-Version": "1" } }),
      delivery(200, expect.stringContaining("the run has stalled"), { ...ONCE, failBody: "{}" }),
    ),
  "a child has failed": () => ({
    workflow: async (context) => {
      const { isFailed } = await context.invoke("child", { workflow: CHILD, body: "for the child" });
      if (isFailed) boom("the child has failed");
    },
    told: thrown("RangeError", "the child has failed", {
      where: "after-last-step",
      steps: [
        {
          id: 1,
          name: "child",
          type: "Invoke",
          result: { body: undefined, isFailed: true, isCanceled: false },
        },
      ],
    }),
    toldOfChild: thrown("WorkflowNonRetryableError", "the child's own", { ...step(1, "work"), ...FINAL }),
  }),
};
