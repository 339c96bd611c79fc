import { z } from "zod";
import { ran, resume } from "../support/deliveries.ts";
import { own, type Scenario, type Tools, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";
import { firstStep } from "./sequential.ts";

class OwnError extends Error {
  override readonly name = "OwnError";
}

/** Thrown in a step, and in the workflow after a step. */
const inStep = (thrown: (tools: Tools) => unknown, name = "one"): Omit<Scenario, "name"> => ({
  workflow: (context, tools) =>
    context.run(name, () => {
      throw thrown(tools);
    }),
  deliveries: [resume()],
});

const between = (thrown: (tools: Tools) => unknown): Omit<Scenario, "name"> => ({
  workflow: async (context, tools) => {
    await context.run("one", () => 1);
    throw thrown(tools);
  },
  deliveries: [resume([ran(1, "one", 1)])],
});

export const stepErrors = topic("error in a step", {
  plain: inStep(() => new TypeError(own("boom"))),
  "of a class of its own": inStep(() => new OwnError(own("boom"))),
  "with a cause": inStep(() => new Error(own("boom"), { cause: new Error(own("cause")) })),
  "without a message": inStep(() => new Error("")),
  "that is a text": inStep(() => own("boom")),
  "that is an object": inStep(() => ({ own: "boom" })),
  "that is undefined": inStep(() => undefined),
  "not to be retried": inStep(({ sdk }) => new sdk.WorkflowNonRetryableError(own("boom"))),
  "not to be retried, without a message": inStep(({ sdk }) => new sdk.WorkflowNonRetryableError()),
  "to be retried after seconds": inStep(({ sdk }) => new sdk.WorkflowRetryAfterError(own("busy"), 30)),
  "to be retried after part of a second": inStep(
    ({ sdk }) => new sdk.WorkflowRetryAfterError(own("busy"), 1.2),
  ),
  "to be retried after minutes": inStep(({ sdk }) => new sdk.WorkflowRetryAfterError(own("busy"), "5m")),
  "to be retried after days": inStep(({ sdk }) => new sdk.WorkflowRetryAfterError(own("busy"), "1d")),
  "in a step with a name in latin-1": inStep(() => new Error(own("boom")), "één"),
  "in a step with a name in another script": inStep(() => new Error(own("boom")), "日本"),
});

export const workflowErrors = topic("error between steps", {
  plain: between(() => new TypeError(own("boom"))),
  "that is a text": between(() => own("boom")),
  "that is an object": between(() => ({ own: "boom" })),
  "not to be retried": between(({ sdk }) => new sdk.WorkflowNonRetryableError(own("boom"))),
  "to be retried after minutes": between(({ sdk }) => new sdk.WorkflowRetryAfterError(own("busy"), "5m")),
});

const early = (workflow: NonNullable<Scenario["workflow"]>): Omit<Scenario, "name"> => ({
  workflow,
  deliveries: [resume()],
});

export const earlyErrors = topic("error before the first step", {
  plain: early(() => {
    throw new TypeError(own("boom"));
  }),
  "not to be retried": early((_context, { sdk }) => {
    throw new sdk.WorkflowNonRetryableError(own("boom"));
  }),
  "to be retried later": early((_context, { sdk }) => {
    throw new sdk.WorkflowRetryAfterError(own("busy"), 30);
  }),
});

const workflow = (context: Context) => context.run("one", () => context.requestPayload);

export const payloads = topic("payload", {
  "that the schema takes": firstStep(workflow, { options: () => ({ schema: z.object({ a: z.number() }) }) }),
  "that the schema changes": firstStep(workflow, {
    options: () => ({ schema: z.object({ a: z.number().transform((a) => a + 1) }) }),
  }),
  "that the schema rejects": firstStep(workflow, {
    options: () => ({ schema: z.object({ b: z.string() }) }),
  }),
  "that isn't JSON, with a schema": firstStep(workflow, {
    options: () => ({ schema: z.object({ a: z.number() }) }),
    deliveries: [resume([], { payload: "as it is" })],
  }),
  "that is empty, with a schema": firstStep(workflow, {
    options: () => ({ schema: z.object({ a: z.number() }) }),
    deliveries: [resume([], { payload: "" })],
  }),
  "that the parser reads": firstStep(workflow, {
    options: () => ({ initialPayloadParser: (text) => `parsed ${text}` }),
  }),
  "that the parser rejects": firstStep(workflow, {
    options: () => ({
      initialPayloadParser: () => {
        throw new Error(own("unreadable"));
      },
    }),
  }),
});
