import type { TriggerOptions } from "@perdure/core";
import { URL } from "../support/deliveries.ts";
import { type Scenario, topic } from "../support/scenario.ts";

const trigger = (options: Partial<TriggerOptions> = {}): Omit<Scenario, "name"> => ({
  client: [(client) => client.trigger({ url: URL, ...options })],
});

export const triggers = topic("trigger", {
  plain: trigger(),
  "a payload that is an object": trigger({ body: { a: [1, "é"] } }),
  "a payload that is a text": trigger({ body: "as it is" }),
  "a payload that is a number": trigger({ body: 7 }),
  "a payload that is null": trigger({ body: null }),
  "an id of its own": trigger({ workflowRunId: "mine" }),
  headers: trigger({ headers: { "X-User": "u", Authorization: "Bearer own", "upstash-own": "1" } }),
  "a content type": trigger({ body: "<a/>", headers: { "Content-Type": "application/xml" } }),
  retries: trigger({ retries: 5 }),
  "no retries": trigger({ retries: 0 }),
  "as many retries as usual": trigger({ retries: 3 }),
  "a retry delay": trigger({ retryDelay: "1000 * pow(2, retried)" }),
  parallelism: trigger({ flowControl: { key: "k.1", parallelism: 3 } }),
  rate: trigger({ flowControl: { key: "k", rate: 10, period: "1m" } }),
  "all of flow control": trigger({ flowControl: { key: "k", parallelism: 3, rate: 10, period: 60 } }),
  "a delay in seconds": trigger({ delay: 30 }),
  "a delay as a text": trigger({ delay: "2h" }),
  "a moment": trigger({ notBefore: 1_900_000_000 }),
  "a moment with a fraction": trigger({ notBefore: 1_900_000_000.7 }),
  "a delay and a moment": trigger({ delay: 10, notBefore: 1_900_000_000 }),
  "a label": trigger({ label: "own" }),
  labels: trigger({ label: ["one", "two"] }),
  "no labels": trigger({ label: [] }),
  "a failure URL": trigger({ failureUrl: "https://app.example.com/failed" }),
  "a redacted body": trigger({ redact: { body: true } }),
  "redacted headers": trigger({ redact: { header: ["X-User", "X-Other"] } }),
  "everything redacted": trigger({ redact: { body: true, header: true } }),
  "no telemetry": trigger({ disableTelemetry: true }),
  "a name that was used before 1.0": trigger({ useFailureFunction: true, keepTriggerConfig: true }),
  everything: trigger({
    body: { a: 1 },
    headers: { "X-User": "u" },
    workflowRunId: "mine",
    retries: 1,
    retryDelay: "500",
    flowControl: { key: "k", parallelism: 1 },
    delay: "5s",
    label: ["one", "two"],
    failureUrl: "https://app.example.com/failed",
    redact: { header: true },
  }),
  "headers of the client": {
    clientHeaders: { "X-Client": "c" },
    client: [(client) => client.trigger({ url: URL, headers: { "X-User": "u" } })],
  },
  several: {
    client: [
      (client) =>
        client.trigger([
          { url: URL, body: 1, workflowRunId: "one", retries: 1 },
          { url: `${URL}/other`, body: 2, label: "two" },
        ]),
    ],
  },
  none: { client: [(client) => client.trigger([])] },
});

export const refusedTriggers = topic("trigger refused", {
  "a label with a blank": trigger({ label: "not a label" }),
  "a flow control key with a blank": trigger({ flowControl: { key: "not a key", rate: 1 } }),
  "flow control without a limit": trigger({ flowControl: { key: "k" } as never }),
  "negative retries": trigger({ retries: -1 }),
  "a URL without a scheme": trigger({ url: "app.example.com" }),
  "an empty id": trigger({ workflowRunId: "" }),
  "a live run's id": {
    ...trigger({ workflowRunId: "mine" }),
    engine: () => ({ body: [{ messageId: "msg_1", deduplicated: true }] }),
  },
  "by the engine": { ...trigger(), engine: () => ({ status: 400, body: { error: "no" } }) },
  "by the engine, for its quota": { ...trigger(), engine: () => ({ status: 412, body: { error: "no" } }) },
  "by the engine, for its rate limit": {
    ...trigger(),
    engine: () => ({ status: 429, body: { error: "no" } }),
  },
});
