import { plan, resume, URL } from "../support/deliveries.ts";
import { type Scenario, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";
import { firstStep } from "./sequential.ts";

const see = (context: Context) =>
  context.run("see", () => ({
    payload: context.requestPayload,
    headers: Object.fromEntries(context.headers),
    url: context.url,
    runId: context.workflowRunId,
    createdAt: context.workflowRunCreatedAt,
    labels: context.labels,
    label: context.label ?? null,
    retried: context.retried,
    env: context.env.OWN ?? null,
  }));

const seen = (headers: Record<string, string>, more: Partial<Scenario> = {}): Omit<Scenario, "name"> =>
  firstStep(see, { deliveries: [resume([], { headers })], ...more });

export const contexts = topic("context", {
  plain: seen({}),
  "with a label": seen({ "Upstash-Label": "one" }),
  "with labels": seen({ "Upstash-Label": "one,two" }),
  "with labels and blanks": seen({ "Upstash-Label": "one, two" }),
  "of a retried delivery": seen({ "Upstash-Retried": "3" }),
  "with headers of the user": seen({ "X-User": "u", Cookie: "c", Authorization: "Bearer own" }),
  "with headers of the engine": seen({
    "Upstash-Region": "us-east-1",
    "Upstash-Caller-Ip": "1.1.1.1",
    "Upstash-Workflow-Own": "w",
    "Upstash-Own": "o",
  }),
  "with headers of the platform": seen({
    "X-Vercel-Id": "v",
    "X-Forwarded-For": "1.1.1.1",
    "CF-Connecting-IP": "1.1.1.1",
    "CDN-Loop": "c",
    "CF-EW-Via": "c",
    "CF-Ray": "c",
    "Render-Proxy-TTL": "4",
  }),
  "with a signature": seen({ "Upstash-Signature": "own" }),
  "without the time": firstStep(see, {
    deliveries: [
      {
        headers: {
          "Content-Type": "application/json",
          "Upstash-Workflow-RunId": "wfr_test",
          "Upstash-Workflow-Sdk-Version": "1",
        },
        body: resume().body as string,
      },
    ],
  }),
  "with an environment": seen({}, { options: () => ({ env: { OWN: "e" } }) }),
  "under another URL": seen({}, { options: () => ({ url: "https://public.example.com/hook?x=1" }) }),
  "under another host": seen({}, { options: () => ({ baseUrl: "https://public.example.com" }) }),
  "with a query": firstStep(see, { deliveries: [resume([], { url: `${URL}?x=1` })] }),
  "with the client": firstStep((context) => context.run("client", () => typeof context.qstashClient)),
  "of an invoked run": firstStep((context) => context.run("one", () => 1), {
    deliveries: [resume([], { headers: { "Upstash-Workflow-Invoke-Count": "3" } })],
  }),
});

export const badUrls = topic("options", {
  "a URL without a scheme": seen({}, { options: () => ({ url: "app.example.com" }) }),
  "an empty environment": seen({}, { options: () => ({ baseUrl: "" }) }),
  "headers of the endpoint's client, in a step": seen(
    {},
    { options: () => ({ qstashClient: { retry: false, headers: { "X-Client": "c" } } }) },
  ),
  "headers of the endpoint's client, in a call": firstStep(
    (context) => context.call("ask", { url: "https://third.example.com/" }),
    { options: () => ({ qstashClient: { retry: false, headers: { "X-Client": "c" } } }) },
  ),
  "headers of the endpoint's client, in a wait": firstStep((context) => context.waitForEvent("wait", "evt"), {
    options: () => ({ qstashClient: { retry: false, headers: { "X-Client": "c" } } }),
  }),
  "no telemetry": firstStep(
    (context) =>
      Promise.all([context.run("a", () => 1), context.call("b", { url: "https://t.example.com/" })]),
    {
      options: () => ({ disableTelemetry: true, qstashClient: { retry: false, enableTelemetry: false } }),
      deliveries: [resume(), resume([plan(1, "a", "Run"), plan(2, "b", "Call")])],
    },
  ),
  "no telemetry of the workflow's": firstStep((context) => context.run("a", () => 1), {
    options: () => ({ disableTelemetry: true }),
  }),
});

const REGIONS = {
  QSTASH_REGION: "US_EAST_1",
  US_EAST_1_QSTASH_TOKEN: "token-us",
  EU_CENTRAL_1_QSTASH_TOKEN: "token-eu",
};

/** The recorder stands for the engine of both regions; which one is meant, the token tells. */
const inRegion = (named: string | undefined, own = "US_EAST_1"): Omit<Scenario, "name"> => ({
  workflow: (context) => context.run("one", () => 1),
  options: ({ engine }) => ({
    env: { ...REGIONS, QSTASH_REGION: own, US_EAST_1_QSTASH_URL: engine, EU_CENTRAL_1_QSTASH_URL: engine },
  }),
  deliveries: [resume([], named === undefined ? {} : { headers: { "Upstash-Region": named } })],
});

export const regions = topic("region", {
  "that isn't named": inRegion(undefined),
  "of the environment": inRegion("us-east-1"),
  "another one": inRegion("eu-central-1"),
  "that doesn't exist": inRegion("mars-1"),
  "of the environment, in other letters": inRegion(undefined, "eu-central-1"),
});
