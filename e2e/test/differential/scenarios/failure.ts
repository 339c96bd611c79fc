import { z } from "zod";
import { base64, type Delivery, failed } from "../support/deliveries.ts";
import { own, type Scenario, type Tools, topic } from "../support/scenario.ts";
import type { Context, Options } from "../support/sdks.ts";

type Failure = Parameters<NonNullable<Options["failureFunction"]>>[0];

const workflow = async (context: Context) => {
  await context.run("one", () => 1);
};

const HTML = own("<html>bad gateway</html>");
const FOREIGN = '{"detail":"no"}';
const BODIES = ["", own("boom"), HTML, FOREIGN];

/** What the function is told, as its result. A text that isn't a scenario's is a package's own. */
const report = ({ context, failResponse, ...failure }: Failure): string =>
  JSON.stringify({
    status: failure.failStatus,
    headers: failure.failHeaders,
    stack: failure.failStack,
    response: BODIES.includes(failResponse) ? failResponse : "<message>",
    payload: context.requestPayload ?? null,
    url: context.url,
    runId: context.workflowRunId,
    createdAt: context.workflowRunCreatedAt,
    labels: context.labels,
    label: context.label ?? null,
    retried: context.retried,
    user: context.headers.get("X-User"),
    hidden: context.headers.get("Upstash-Workflow-RunId"),
  });

const told = (
  delivery: Delivery,
  failureFunction: (failure: Failure, tools: Tools) => unknown = report,
  more: Partial<Scenario> = {},
): Omit<Scenario, "name"> => ({
  workflow,
  options: (tools) => ({ failureFunction: async (failure) => failureFunction(failure, tools) }),
  deliveries: [delivery],
  ...more,
});

const boom = JSON.stringify({ error: "RangeError", message: own("boom"), stack: "at own" });

export const failures = topic("failure", {
  "of a step": told(failed(boom)),
  "with headers and labels": told(
    failed(boom, {}, { "X-User": "u", "Upstash-Label": "one,two", "Upstash-Retried": "1" }),
  ),
  "without a stack": told(failed(JSON.stringify({ error: "Error", message: own("boom") }))),
  "with an empty message": told(failed(JSON.stringify({ error: "Error", message: "" }))),
  "with HTML": told(failed(HTML, { status: 502 })),
  "with JSON that isn't ours": told(failed(FOREIGN)),
  "without a body": told(failed("", { status: 504 })),
  "without an answer": told(failed("", { status: 0, header: {} })),
  "of a run that isn't to be retried": told(failed(boom, { status: 489 })),
  "of a run without a payload": told(failed(boom, { sourceBody: "" })),
  "of a run whose payload is a text": told(failed(boom, { sourceBody: base64("as it is: é") })),
  "with the time as a text": told(failed(boom, { workflowCreatedAt: "1700000000000" })),
  "of a run under another host": told(failed(boom), report, {
    options: () => ({ baseUrl: "https://public.example.com", failureFunction: (failure) => report(failure) }),
  }),
  "that speaks the protocol's version": told(failed(boom, {}, { "Upstash-Workflow-Sdk-Version": "1" })),
  "told by one of its two headers": told({
    ...failed(boom),
    headers: { "Upstash-Workflow-RunId": "wfr_test", "Upstash-Workflow-Is-Failure": "true" },
  }),
  "told by the other of its two headers": told({
    ...failed(boom),
    headers: { "Upstash-Workflow-RunId": "wfr_test", "Upstash-Workflow-Failure-Callback": "true" },
  }),
  "without a run": told({ ...failed(boom), headers: { "Upstash-Workflow-Is-Failure": "true" } }),
  "that isn't JSON": told({ ...failed(boom), body: "{" }),
});

export const failureFunctions = topic("failure function", {
  "that isn't there": { workflow, deliveries: [failed(boom)] },
  "that returns a text": told(failed(boom), () => "done"),
  "that returns nothing": told(failed(boom), () => undefined),
  "that returns an object": told(failed(boom), () => ({ done: true })),
  "that throws": told(failed(boom), () => {
    throw new Error(own("again"));
  }),
  "that throws not to be retried": told(failed(boom), (_failure, { sdk }) => {
    throw new sdk.WorkflowNonRetryableError(own("enough"));
  }),
  "that throws to be retried later": told(failed(boom), (_failure, { sdk }) => {
    throw new sdk.WorkflowRetryAfterError(own("later"), "5m");
  }),
  "that tries a step": told(failed(boom), async ({ context }) => {
    await (context as Context).run("one", () => 1);
    return "stepped";
  }),
  "of a workflow that throws before its first step": told(failed(boom), report, {
    workflow: () => {
      throw new Error(own("early"));
    },
  }),
  "of a workflow that returns before its first step": told(failed(boom), report, { workflow: () => "early" }),
  "of a payload that the schema rejects": {
    workflow,
    options: () => ({
      schema: z.object({ b: z.string() }),
      failureFunction: (failure) => report(failure),
    }),
    deliveries: [failed(boom)],
  },
  "of a payload that the parser rejects": {
    workflow,
    options: () => ({
      initialPayloadParser: () => {
        throw new Error(own("unreadable"));
      },
      failureFunction: (failure) => report(failure),
    }),
    deliveries: [failed(boom)],
  },
  "of a payload that the schema changes": {
    workflow,
    options: () => ({
      schema: z.object({ a: z.number().transform((a) => a + 1) }),
      failureFunction: (failure) => report(failure),
    }),
    deliveries: [failed(boom)],
  },
});
