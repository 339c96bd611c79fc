import { done, plan, resume, runHeaders } from "../support/deliveries.ts";
import { type Scenario, type Tools, topic } from "../support/scenario.ts";
import type { Context, Invokable } from "../support/sdks.ts";

const PARENT = "https://app.example.com/api/parent";

type Ask = (context: Context, child: Invokable) => Promise<unknown>;

/** A workflow and a child that is served beside it. */
const family =
  (ask: Ask) =>
  ({ sdk }: Tools): Record<string, Invokable> => {
    const child = sdk.createWorkflow((context) => context.run("one", () => context.requestPayload));
    return { parent: sdk.createWorkflow((context) => ask(context, child)), child };
  };

const first = (ask: Ask, more: Partial<Scenario> = {}): Omit<Scenario, "name"> => ({
  workflows: family(ask),
  deliveries: [resume([], { url: PARENT })],
  ...more,
});

const plans = [plan(1, "child", "Invoke"), plan(2, "start", "Call")];
const ended = [
  done(1, "child", "Invoke", { concurrent: 2, out: '{"body":"1","isFailed":false,"isCanceled":false}' }),
  done(2, "start", "Call", { concurrent: 2, out: '{"status":200,"body":"","header":{}}' }),
];

export const invokes = topic("invoke", {
  plain: first((context, workflow) => context.invoke("child", { workflow, body: { b: 1 } })),
  "without a payload": first((context, workflow) => context.invoke("child", { workflow, body: undefined })),
  "with a text": first((context, workflow) => context.invoke("child", { workflow, body: "as it is: é" })),
  "with every setting": first((context, workflow) =>
    context.invoke("child", {
      workflow,
      body: [1],
      workflowRunId: "mine",
      headers: { "X-Own": "1", Authorization: "Bearer own" },
      retries: 1,
      retryDelay: "500",
      flowControl: { key: "k", parallelism: 1, rate: 2, period: 3 },
      label: ["one", "two"],
    }),
  ),
  "with a content type": first((context, workflow) =>
    context.invoke("child", { workflow, body: "<a/>", headers: { "Content-Type": "application/xml" } }),
  ),
  "with as many retries as usual": first((context, workflow) =>
    context.invoke("child", { workflow, body: 1, retries: 3 }),
  ),
  "by an invoked run": first((context, workflow) => context.invoke("child", { workflow, body: 1 }), {
    deliveries: [resume([], { url: PARENT, headers: { "Upstash-Workflow-Invoke-Count": "4" } })],
  }),
  "by a run with headers and a label": first(
    (context, workflow) => context.invoke("child", { workflow, body: 1 }),
    { deliveries: [resume([], { url: PARENT, headers: { "Upstash-Label": "own", "X-User": "u" } })] },
  ),
  "by an endpoint whose client has headers": first(
    (context, workflow) => context.invoke("child", { workflow, body: 1 }),
    { options: () => ({ qstashClient: { retry: false, headers: { "X-Client": "c" } } }) },
  ),
  "by a run under another host": first(
    (context, workflow) => context.invoke("child", { workflow, body: 1 }),
    {
      options: () => ({ baseUrl: "https://public.example.com" }),
    },
  ),
  "by a run with a query": first((context, workflow) => context.invoke("child", { workflow, body: 1 }), {
    deliveries: [resume([], { url: `${PARENT}?x=1` })],
  }),
  "in a group": first(
    (context, workflow) =>
      Promise.all([
        context.invoke("child", { workflow, body: 1 }),
        context.call("start", { workflow, body: 2 }),
      ]),
    {
      deliveries: [
        resume([], { url: PARENT }),
        resume([plan(1, "child", "Invoke")], { url: PARENT }),
        resume([plan(2, "start", "Call")], { url: PARENT }),
        resume([...plans, ...ended], { url: PARENT }),
      ],
    },
  ),
  "of a workflow that isn't served here": {
    workflows: ({ sdk }) => {
      const other = sdk.createWorkflow((context) => context.run("one", () => 1));
      return {
        parent: sdk.createWorkflow((context) => context.invoke("child", { workflow: other, body: 1 })),
      };
    },
    deliveries: [resume([], { url: PARENT })],
  },
  "by a run that has ended": first((context, workflow) => context.invoke("child", { workflow, body: 1 }), {
    engine: ({ method }) => ({ status: method === "POST" ? 400 : 404, body: { error: "no" } }),
  }),
});

const started = (out: object): Omit<Scenario, "name"> =>
  first(
    async (context, workflow) => {
      const child = await context.invoke("child", { workflow, body: 1 });
      return context.run("see", () => ({ ...child, kind: typeof child.body }));
    },
    {
      deliveries: [resume([done(1, "child", "Invoke", { out: JSON.stringify(out) })], { url: PARENT })],
    },
  );

export const invokeResults = topic("result of invoke", {
  "that is JSON": started({ body: '{"sum":3}', isFailed: false, isCanceled: false }),
  "that is a text": started({ body: '"text"', isFailed: false, isCanceled: false }),
  "that is undefined": started({ isFailed: false, isCanceled: false }),
  "of a child that failed": started({ isFailed: true, isCanceled: false }),
  "of a child that was cancelled": started({ isFailed: false, isCanceled: true }),
});

export const callsOfWorkflows = topic("call of a workflow", {
  plain: first((context, workflow) => context.call("start", { workflow, body: { b: 1 } })),
  "with a text": first((context, workflow) => context.call("start", { workflow, body: "as it is" })),
  "with settings": first((context, workflow) =>
    context.call("start", {
      workflow,
      body: 1,
      headers: { "X-Own": "1" },
      retries: 2,
      retryDelay: "5",
      timeout: "1m",
      flowControl: { key: "k", parallelism: 1 },
    }),
  ),
});

const pair = ({ sdk, note }: Tools): Record<string, Invokable> => ({
  one: sdk.createWorkflow((context) => context.run("one", () => context.url)),
  "two words": sdk.createWorkflow((context) => context.run("two", () => context.url), {
    failureFunction: () => note("failed"),
  }),
});

const at = (url: string): Omit<Scenario, "name"> => ({
  workflows: pair,
  deliveries: [resume([], { url: `https://app.example.com${url}` })],
});

export const manyWorkflows = topic("serveMany", {
  "the first": at("/api/one"),
  "the second": at("/api/two%20words"),
  "with a query": at("/api/one?x=/other"),
  "an unknown one": at("/api/three"),
  "none at all": at("/api/"),
  "a start": {
    workflows: pair,
    deliveries: [
      { url: "https://app.example.com/one", headers: { "Content-Type": "application/json" }, body: "{}" },
    ],
  },
  "options of one win over those of all": {
    workflows: ({ sdk }) => ({
      one: sdk.createWorkflow((context) => context.run("one", () => context.url), {
        baseUrl: "https://own.example.com",
      }),
    }),
    options: () => ({ baseUrl: "https://shared.example.com" }),
    deliveries: [resume([], { url: "https://app.example.com/one" })],
  },
  "a key with a slash": {
    workflows: ({ sdk }) => ({ "a/b": sdk.createWorkflow((context) => context.run("one", () => 1)) }),
    deliveries: [{ url: "https://app.example.com/a/b", headers: runHeaders, body: "[]" }],
  },
});
