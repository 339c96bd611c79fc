import { base64, done, RUN, resume } from "../support/deliveries.ts";
import { type Scenario, topic } from "../support/scenario.ts";
import type { Context } from "../support/sdks.ts";
import { firstStep } from "./sequential.ts";

const waiter = { url: "https://app.example.com/api/wf", deadline: 1_900_000_000, headers: {} };
const told = { body: [{ waiter, messageId: "msg_1", error: "" }] };

export const waits = topic("waitForEvent", {
  plain: firstStep((context) => context.waitForEvent("wait", "evt")),
  "with a timeout in seconds": firstStep((context) => context.waitForEvent("wait", "evt", { timeout: 60 })),
  "with a timeout as a text": firstStep((context) => context.waitForEvent("wait", "evt", { timeout: "2h" })),
  "for an id with other characters": firstStep((context) => context.waitForEvent("wait", "order/1 x?y#z:é")),
  "for an id of usual characters": firstStep((context) => context.waitForEvent("wait", "a-b_c.d~e:1@f")),
  "for an empty id": firstStep((context) => context.waitForEvent("wait", "")),
  "in an invoked run": firstStep((context) => context.waitForEvent("wait", "evt"), {
    deliveries: [resume([], { headers: { "Upstash-Workflow-Invoke-Count": "1" } })],
  }),
  "in a run with a label and headers": firstStep((context) => context.waitForEvent("wait", "evt"), {
    deliveries: [resume([], { headers: { "Upstash-Label": "own", "X-User": "u" } })],
  }),
  "without telemetry": firstStep((context) => context.waitForEvent("wait", "evt"), {
    options: () => ({ disableTelemetry: true, qstashClient: { retry: false, enableTelemetry: false } }),
  }),
  "in a run that has ended": firstStep((context) => context.waitForEvent("wait", "evt"), {
    engine: ({ method }) => ({ status: method === "POST" ? 400 : 404, body: { error: "no" } }),
  }),
});

const afterWait = (step: object): Omit<Scenario, "name"> => ({
  workflow: async (context: Context) => {
    const response = await context.waitForEvent("wait", "evt");
    return context.run("see", () => ({ ...response, kind: typeof response.eventData }));
  },
  deliveries: [resume([done(1, "wait", "Wait", { waitEventId: "evt", ...step })])],
});

export const waitResults = topic("result of waitForEvent", {
  "that is JSON": afterWait({ out: base64('{"é":[1]}'), waitTimeout: false }),
  "that is a text": afterWait({ out: base64("as it is: é") }),
  "that is a number": afterWait({ out: base64("7") }),
  "that is nothing": afterWait({}),
  "that is empty": afterWait({ out: "" }),
  "after its time": afterWait({ waitTimeout: true }),
});

const notify = (
  eventData: unknown,
  eventId = "evt",
  runId?: string,
  more: Partial<Scenario> = {},
): Omit<Scenario, "name"> =>
  firstStep((context) => context.notify("tell", eventId, eventData, runId), { engine: tell, ...more });

const tell = ({ path }: { path: string }) => (path.startsWith("/v2/notify/") ? told : undefined);

export const notifications = topic("notify", {
  "with an object": notify({ a: [1, "é"] }),
  "with a text": notify("as it is: é"),
  "with a number": notify(7),
  "with null": notify(null),
  "with nothing": notify(undefined),
  "to a run": notify({ a: 1 }, "evt", "wfr_other"),
  "to a run, with an answer that isn't a list": notify({ a: 1 }, "evt", "wfr_other", {
    engine: ({ path }) =>
      path.startsWith("/v2/notify/") ? { body: { waiter, messageId: "msg_1", error: "" } } : undefined,
  }),
  "for an id with other characters": notify(1, "order/1 x?y#z"),
  "for an empty id": notify(1, ""),
  "to a run without an id": notify(1, "evt", ""),
  "that the engine refuses": notify(1, "evt", undefined, {
    engine: () => ({ status: 400, body: { error: "no" } }),
  }),
  "read back": {
    workflow: async (context) => {
      const { eventId, eventData, notifyResponse } = await context.notify("tell", "evt", { a: 1 });
      return context.run("see", () => [eventId, eventData, notifyResponse[0]?.messageId]);
    },
    deliveries: [
      resume([
        done(1, "tell", "Notify", {
          out: JSON.stringify({ eventId: "evt", eventData: { a: 1 }, notifyResponse: told.body }),
        }),
      ]),
    ],
  },
});

const address = `https://qstash.example.com/v2/workflows/hooks/user/${RUN}/evt_1`;
const hook = { webhookUrl: address, eventId: "evt_1" };
const made = done(1, "make", "CreateWebhook", { out: JSON.stringify(hook) });

const hit = (request: object) => ({
  out: base64(
    JSON.stringify({
      method: "POST",
      header: { "Content-Type": ["application/json"], "X-Own": ["1", "2"] },
      body: base64('{"é":1}'),
      proto: "https",
      host: "qstash.example.com",
      url: `/v2/workflows/hooks/user/${RUN}/evt_1?x=1`,
      ...request,
    }),
  ),
});

const afterHook = (step: object): Omit<Scenario, "name"> => ({
  workflow: async (context: Context) => {
    const webhook = await context.createWebhook("make");
    const { timeout, request } = await context.waitForWebhook("wait", webhook, "1h");
    return context.run("see", async () => ({
      timeout,
      method: request?.method,
      url: request?.url,
      own: request?.headers.get("x-own"),
      body: await request?.text(),
    }));
  },
  deliveries: [resume([made, done(2, "wait", "WaitForWebhook", { waitEventId: "evt_1", ...step })])],
});

export const webhooks = topic("webhook", {
  made: firstStep((context) => context.createWebhook("make")),
  "made with a token that doesn't say whose it is": firstStep((context) => context.createWebhook("make"), {
    options: () => ({ env: { QSTASH_TOKEN: "token" } }),
  }),
  "waited for": {
    workflow: async (context) => context.waitForWebhook("wait", await context.createWebhook("make"), "1h"),
    deliveries: [resume([made])],
  },
  "waited for, twice": {
    workflow: async (context) => {
      const webhook = await context.createWebhook("make");
      await context.waitForWebhook("first", webhook, "1h");
      await context.waitForWebhook("second", webhook, "2h");
    },
    deliveries: [resume([made, done(2, "first", "WaitForWebhook", { waitTimeout: true })])],
  },
  "hit by a POST": afterHook(hit({})),
  "hit by a GET": afterHook(hit({ method: "GET", body: "" })),
  "hit by a GET with a body": afterHook(hit({ method: "GET" })),
  "hit by a HEAD": afterHook(hit({ method: "HEAD" })),
  "hit by an empty PUT": afterHook(hit({ method: "PUT", body: "" })),
  "not hit in time": afterHook({ waitTimeout: true }),
});
