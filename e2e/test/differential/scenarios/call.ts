import { z } from "zod";
import { answered, history, ofCall, resume } from "../support/deliveries.ts";
import { own, type Scenario, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";
import { firstStep } from "./sequential.ts";

const THERE = "https://third.example.com/thing?x=1";

export const calls = topic("call", {
  plain: firstStep((context) => context.call("ask", { url: THERE })),
  "a method and a body": firstStep((context) =>
    context.call("ask", { url: THERE, method: "POST", body: '{"b": 1}' }),
  ),
  "a body that isn't ASCII": firstStep((context) =>
    context.call("ask", { url: THERE, method: "PUT", body: "é日本" }),
  ),
  headers: firstStep((context) =>
    context.call("ask", { url: THERE, headers: { Authorization: "Bearer own", "X-Own": "1" } }),
  ),
  "a content type": firstStep((context) =>
    context.call("ask", {
      url: THERE,
      method: "POST",
      body: "<a/>",
      headers: { "content-type": "application/xml" },
    }),
  ),
  retries: firstStep((context) =>
    context.call("ask", { url: THERE, retries: 2, retryDelay: "1000 * retried" }),
  ),
  "a timeout in seconds": firstStep((context) => context.call("ask", { url: THERE, timeout: 30 })),
  "a timeout as a text": firstStep((context) => context.call("ask", { url: THERE, timeout: "2m" })),
  "flow control": firstStep((context) =>
    context.call("ask", { url: THERE, flowControl: { key: "k", parallelism: 1, rate: 2, period: "3s" } }),
  ),
  "a flow control key that isn't one": firstStep((context) =>
    context.call("ask", { url: THERE, flowControl: { key: "not a key", parallelism: 1 } }),
  ),
  "a name with a blank": firstStep((context) => context.call("the question", { url: THERE })),
  "a name in latin-1": firstStep((context) => context.call("één", { url: THERE })),
  "a name in another script": firstStep((context) => context.call("日本", { url: THERE })),
  "in an invoked run": firstStep(
    (context) => context.call("ask", { url: THERE, method: "POST", body: "b" }),
    {
      deliveries: [resume([], { headers: { "Upstash-Workflow-Invoke-Count": "2" } })],
    },
  ),
  "of a run with a label": firstStep((context) => context.call("ask", { url: THERE }), {
    deliveries: [resume([], { headers: { "Upstash-Label": "own", "X-User": "u" } })],
  }),
  "without a URL": firstStep((context) => context.call("ask", { url: "" })),
  "of another URL than the request's": firstStep((context) => context.call("ask", { url: THERE }), {
    options: () => ({ baseUrl: "https://public.example.com" }),
  }),
});

export const apis = topic("call of an API", {
  openai: firstStep((context) =>
    context.api.openai.call("ask", {
      token: "own",
      operation: "chat.completions.create",
      body: { model: "m", messages: [] },
    }),
  ),
  "openai, elsewhere, for an organization": firstStep((context) =>
    context.api.openai.call("ask", {
      token: "own",
      organization: "org",
      baseURL: "https://llm.example.com",
      operation: "chat.completions.create",
      body: { model: "m" },
      retries: 1,
      timeout: "1m",
    }),
  ),
  "openai, by the whole URL": firstStep((context) =>
    context.api.openai.call("ask", {
      token: "own",
      baseURL: "https://llm.example.com/v1/chat/completions",
      operation: "chat.completions.create",
      body: {},
    }),
  ),
  anthropic: firstStep((context) =>
    context.api.anthropic.call("ask", { token: "own", operation: "messages.create", body: { model: "m" } }),
  ),
  resend: firstStep((context) => context.api.resend.call("mail", { token: "own", body: { to: "a@b.c" } })),
  "resend, several": firstStep((context) =>
    context.api.resend.call("mail", { token: "own", batch: true, body: [{ to: "a@b.c" }] }),
  ),
  "with headers": firstStep((context) =>
    context.api.resend.call("mail", { token: "own", headers: { "X-Own": "1" }, body: {} }),
  ),
  "with flow control": firstStep((context) =>
    context.api.anthropic.call("ask", {
      token: "own",
      operation: "messages.create",
      body: {},
      flowControl: { key: "k", parallelism: 1 },
    }),
  ),
});

const workflow = async (context: Context) => {
  const answer = await context.call("ask", { url: THERE });
  return context.run("see", () => answer);
};

const back = (
  body: string,
  headers: Record<string, string> = ofCall(1, "ask"),
  more: Partial<Scenario> = {},
): Omit<Scenario, "name"> => ({ workflow, deliveries: [{ headers, body }], ...more });

export const callAnswers = topic("answer to a call", {
  "that is JSON": back(answered({ status: 200, body: '{"b":1}' })),
  "that isn't ASCII": back(answered({ status: 200, body: '{"b":"é日本"}' })),
  "that is bytes": back(answered({ status: 200, body: new Uint8Array([0, 255, 128, 10]) })),
  "that is empty": back(answered({ status: 204 })),
  "in a group": back(answered({ status: 200, body: "{}" }), ofCall(2, "ask", 2)),
  "in an invoked run": back(answered({ status: 200, body: "{}" }), {
    ...ofCall(1, "ask"),
    "Upstash-Workflow-Invoke-Count": "2",
  }),
  "that failed, and will be retried": back(answered({ status: 500, retried: 0, maxRetries: 2 })),
  "that failed for the last time": back(answered({ status: 500, retried: 2, maxRetries: 2 })),
  "that failed, without retries": back(answered({ status: 404, retried: 0, maxRetries: 0 })),
  "that isn't to be retried": back(
    answered({ status: 489, header: { "Upstash-NonRetryable-Error": ["true"] }, retried: 0, maxRetries: 2 }),
  ),
  "to a name in latin-1": back(answered({ status: 200, body: "{}" }), ofCall(1, "één")),
  "too large to be sent along": back("", ofCall(1, "ask"), {
    engine: ({ method }) =>
      method === "GET"
        ? {
            body: [...history(), { messageId: "msg_callback", body: callbackBody, callType: "fromCallback" }],
          }
        : undefined,
  }),
  "too large to be sent along, of a run that has ended": back("", ofCall(1, "ask"), {
    engine: ({ method }) => (method === "GET" ? { status: 404, body: { error: "no" } } : undefined),
  }),
  "that doesn't say which step": back(answered({ status: 200, body: "{}" }), {
    "Upstash-Workflow-Callback": "true",
    "Upstash-Workflow-RunId": "wfr_test",
  }),
  "that isn't JSON itself": back("{"),
  "of a run that has ended": back(answered({ status: 200, body: "{}" }), ofCall(1, "ask"), {
    engine: ({ method }) =>
      method === "POST" ? { status: 400, body: { error: "no" } } : { status: 404, body: { error: "no" } },
  }),
  "that the engine can't record": back(answered({ status: 200, body: "{}" }), ofCall(1, "ask"), {
    engine: () => ({ status: 500, body: { error: "no" } }),
  }),
  "of a workflow with a schema": back(answered({ status: 200, body: "{}" }), ofCall(1, "ask"), {
    options: () => ({ schema: z.object({ a: z.number() }) }),
  }),
  "while the workflow looks at its payload": {
    workflow: async (context, { note }) => {
      note(context.requestPayload);
      if ((context.requestPayload as { a?: number }).a !== 1) throw new Error(own("not for this payload"));
      await context.call("ask", { url: THERE });
    },
    deliveries: [{ headers: ofCall(1, "ask"), body: answered({ status: 200, body: "{}" }) }],
  },
});

const callbackBody = Buffer.from(answered({ status: 200, body: '{"large":true}' })).toString("base64");
