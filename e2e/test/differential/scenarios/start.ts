import { z } from "zod";
import { history, resume, runHeaders, URL } from "../support/deliveries.ts";
import { own, type Scenario, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";

const workflow = async (context: Context) => {
  await context.run("one", () => context.requestPayload);
};

const raw = (
  headers: Record<string, string>,
  body?: string,
  more: Partial<Scenario> = {},
): Omit<Scenario, "name"> => ({
  workflow,
  deliveries: [{ headers, ...(body === undefined ? {} : { body }) }],
  ...more,
});

const unknownSdk = { ...runHeaders, "Upstash-Workflow-Unknown-Sdk": "true" };

export const starts = topic("start", {
  "a POST with JSON": raw({ "Content-Type": "application/json" }, '{"a":1}'),
  "a POST with a text": raw({ "Content-Type": "text/plain" }, "as it is"),
  "a POST without a content type": raw({}, "as it is"),
  "a POST without a body": raw({}),
  "headers of the caller": raw({ "Content-Type": "application/json", "X-User": "u" }, "{}"),
  "secrets of the caller": raw(
    {
      "Content-Type": "application/json",
      Authorization: "Bearer secret",
      Cookie: "secret",
      "X-Api-Key": "kept by both",
    },
    "{}",
  ),
  "headers of the connection": raw(
    {
      "Content-Type": "application/json",
      Connection: "keep-alive",
      "Content-Length": "2",
      Host: "app.example.com",
      "User-Agent": "curl",
      "Accept-Encoding": "gzip",
    },
    "{}",
  ),
  "headers of the platform": raw(
    {
      "Content-Type": "application/json",
      "X-Forwarded-For": "1.1.1.1",
      "X-Vercel-Id": "v",
      "CF-Ray": "r",
      "Upstash-Region": "us-east-1",
    },
    "{}",
  ),
  "a published message": raw(
    { "Content-Type": "application/json", "Upstash-Message-Id": "msg_abc", "Upstash-Retried": "0" },
    '{"a":1}',
  ),
  "a labelled message": raw({ "Content-Type": "application/json", "Upstash-Label": "own" }, "{}"),
  "a message with labels": raw({ "Content-Type": "application/json", "Upstash-Label": "one, two" }, "{}"),
  "a message with a label that isn't one": raw(
    { "Content-Type": "application/json", "Upstash-Label": "not a label" },
    "{}",
  ),
  "a run's id, which isn't the caller's to choose": raw(
    { "Content-Type": "application/json", "Upstash-Workflow-RunId": "wfr_chosen" },
    "{}",
  ),
  "another URL than the request's": raw({ "Content-Type": "application/json" }, "{}", {
    options: () => ({ url: "https://public.example.com/hook?x=1" }),
  }),
  "another host than the request's": raw({ "Content-Type": "application/json" }, "{}", {
    options: () => ({ baseUrl: "https://public.example.com" }),
  }),
  "another host by the environment": raw({ "Content-Type": "application/json" }, "{}", {
    options: () => ({ env: { UPSTASH_WORKFLOW_URL: "https://public.example.com" } }),
  }),
  "a query": {
    workflow,
    deliveries: [{ url: `${URL}?tenant=1`, headers: { "Content-Type": "application/json" }, body: "{}" }],
  },
  "no telemetry": raw({ "Content-Type": "application/json" }, "{}", {
    options: () => ({ disableTelemetry: true, qstashClient: { retry: false, enableTelemetry: false } }),
  }),
  "headers of the endpoint's client": raw({ "Content-Type": "application/json" }, "{}", {
    options: () => ({ qstashClient: { retry: false, headers: { "X-Client": "c" } } }),
  }),
  "refused by the engine": raw({ "Content-Type": "application/json" }, "{}", {
    engine: () => ({ status: 400, body: { error: "no" } }),
  }),
  "deduplicated by the engine": raw({ "Content-Type": "application/json" }, "{}", {
    engine: () => ({ body: [{ messageId: "msg_1", deduplicated: true }] }),
  }),
  "a payload that the schema rejects": raw({ "Content-Type": "application/json" }, '{"a":"x"}', {
    options: () => ({ schema: z.object({ a: z.number() }) }),
  }),
  "a workflow that throws before its first step": raw({ "Content-Type": "application/json" }, "{}", {
    workflow: () => {
      throw new Error(own("early"));
    },
  }),
  "a workflow that returns before its first step": raw({ "Content-Type": "application/json" }, "{}", {
    workflow: () => "early",
  }),
});

export const unknownSdkStarts = topic("start of an unknown SDK's run", {
  "with a history": { workflow, deliveries: [resume([], { headers: unknownSdk })] },
  "with headers and a label": {
    workflow,
    deliveries: [resume([], { headers: { ...unknownSdk, "X-User": "u", "Upstash-Label": "own" } })],
  },
  "with secrets that are to be sent along": {
    workflow,
    deliveries: [
      resume([], { headers: { ...unknownSdk, Authorization: "Bearer secret", Cookie: "secret" } }),
    ],
  },
  "with an empty payload": { workflow, deliveries: [resume([], { headers: unknownSdk, payload: "" })] },
  "without a body": {
    workflow,
    deliveries: [{ headers: { ...unknownSdk, "Upstash-Message-Id": "msg_0" }, body: "" }],
    engine: ({ method }) => (method === "GET" ? { body: history() } : undefined),
  },
  "without a run": {
    workflow,
    deliveries: [
      {
        headers: {
          "Content-Type": "application/json",
          "Upstash-Workflow-Sdk-Version": "1",
          "Upstash-Workflow-Unknown-Sdk": "true",
        },
        body: JSON.stringify(history()),
      },
    ],
  },
});

export const firstDeliveries = topic("first delivery", {
  "of a triggered run": { workflow, deliveries: [resume()] },
  "of a run without a payload": { workflow, deliveries: [resume([], { payload: "" })] },
  "of a run whose payload is a text": { workflow, deliveries: [resume([], { payload: "as it is" })] },
  "of a run whose payload isn't ASCII": { workflow, deliveries: [resume([], { payload: '{"é":"日本"}' })] },
  "that is retried": { workflow, deliveries: [resume([], { headers: { "Upstash-Retried": "2" } })] },
  "of another version of the protocol": {
    workflow,
    deliveries: [resume([], { headers: { "Upstash-Workflow-Sdk-Version": "2" } })],
  },
  "without a run": {
    workflow,
    deliveries: [
      {
        headers: { "Content-Type": "application/json", "Upstash-Workflow-Sdk-Version": "1" },
        body: JSON.stringify(history()),
      },
    ],
  },
  "with a body that isn't JSON": { workflow, deliveries: [{ headers: runHeaders, body: "{" }] },
  "with a body that isn't a list": { workflow, deliveries: [{ headers: runHeaders, body: '{"a":1}' }] },
  "with an empty list": { workflow, deliveries: [{ headers: runHeaders, body: "[]" }] },
  "with an entry that isn't base64": {
    workflow,
    deliveries: [
      {
        headers: runHeaders,
        body: JSON.stringify([...history(), { messageId: "msg_1", body: "%", callType: "step" }]),
      },
    ],
  },
  "with a method that isn't POST": {
    workflow,
    deliveries: [{ method: "PUT", headers: runHeaders, body: JSON.stringify(history()) }],
  },
  "to another URL than the request's": {
    workflow,
    options: () => ({ url: "https://public.example.com/hook" }),
    deliveries: [resume()],
  },
  "to another host than the request's": {
    workflow,
    options: () => ({ baseUrl: "https://public.example.com" }),
    deliveries: [resume()],
  },
});
