import type { NotifyOptions } from "@perdure/core";
import { URL } from "../support/deliveries.ts";
import { type Scenario, topic } from "../support/scenario.ts";
import type { Client } from "../support/sdks.ts";

const asked = (
  ask: (client: Client) => Promise<unknown>,
  body: unknown,
  more: Partial<Scenario> = {},
): Omit<Scenario, "name"> => ({ client: [ask], engine: () => ({ body }), ...more });

type Cancel = Parameters<Client["cancel"]>[0];
const cancel = (selection: Cancel): Omit<Scenario, "name"> =>
  asked((client) => client.cancel(selection), { cancelled: 2 });

const DAY = 86_400_000;
const common = {
  fromDate: DAY,
  toDate: new Date(2 * DAY),
  callerIp: "1.1.1.1",
  label: ["one", "two"],
  flowControlKey: "k",
};

export const cancels = topic("cancel", {
  "one run": cancel("wfr_1"),
  "a list": cancel(["wfr_1", "wfr_2"]),
  "a list by its name": cancel({ workflowRunIds: ["wfr_1", "wfr_2"] }),
  "an empty list": cancel([]),
  "an empty list by its name": cancel({ workflowRunIds: [] }),
  "an empty id": cancel(""),
  "an empty id in a list": cancel(["wfr_1", ""]),
  "by URL": cancel({ filter: { workflowUrl: URL } }),
  "by the beginning of a URL": cancel({ filter: { workflowUrlStartingWith: "https://app" } }),
  "by URL and beginning": cancel({
    filter: { workflowUrl: URL, workflowUrlStartingWith: URL } as never,
  }),
  "by several URLs": cancel({ filter: { workflowUrl: [URL, `${URL}/other`] } }),
  "by several beginnings": cancel({ filter: { workflowUrlStartingWith: ["https://app", "https://own"] } }),
  "by a label": cancel({ filter: { label: "own" } }),
  "by everything": cancel({
    filter: { ...common, workflowUrl: URL, host: ["a", "b"], path: "/p" },
    count: 7,
  }),
  "by an empty filter": cancel({ filter: {} as never }),
  "by an empty list in a filter": cancel({ filter: { label: [] } }),
  all: cancel({ all: true }),
  "all, some at a time": cancel({ all: true, count: 5 }),
  nothing: cancel({} as never),
  "by the ids that were used before 1.2.1": cancel({ ids: ["wfr_1"] } as never),
  "by the URL that was used before 1.2.1": cancel({ urlStartingWith: "https://app" } as never),
  "that the engine refuses": asked((client) => client.cancel("wfr_1"), undefined, {
    engine: () => ({ status: 404, body: { error: "no" } }),
  }),
});

const waiter = {
  url: URL,
  deadline: 1_900_000_000,
  headers: { "X-Own": ["1"] },
  timeoutUrl: URL,
  timeoutBody: null,
  timeoutHeaders: {},
};
const notified = [{ waiter, messageId: "msg_1", error: "" }];

const notify = (options: NotifyOptions, body: unknown = notified): Omit<Scenario, "name"> =>
  asked((client) => client.notify(options), body);

export const notifies = topic("client notifies", {
  "with an object": notify({ eventId: "evt", eventData: { é: 1 } }),
  "with a text": notify({ eventId: "evt", eventData: "as it is" }),
  "with nothing": notify({ eventId: "evt" }),
  "a run": notify({ eventId: "evt", eventData: 1, workflowRunId: "wfr_1" }),
  "a run, and gets an answer that isn't a list": notify(
    { eventId: "evt", eventData: 1, workflowRunId: "wfr_1" },
    notified[0],
  ),
  nobody: notify({ eventId: "evt" }, []),
  "of an id with other characters": notify({ eventId: "order/1 x?y#z" }),
  "of an empty id": notify({ eventId: "" }),
});

export const waiters = topic("client asks who waits", {
  plain: asked((client) => client.getWaiters({ eventId: "evt" }), [waiter]),
  "for an id with other characters": asked((client) => client.getWaiters({ eventId: "order/1 x?y" }), []),
  "for an empty id": asked((client) => client.getWaiters({ eventId: "" }), []),
});

type Logs = Parameters<Client["logs"]>[0];
const run = {
  workflowRunId: "wfr_1",
  workflowUrl: URL,
  workflowState: "RUN_SUCCESS",
  workflowRunCreatedAt: 1,
  steps: [{ type: "sequential", steps: [{ stepName: "init", out: "x" }] }],
  labels: ["own"],
};
const logs = (options?: Logs, body: unknown = { runs: [run], cursor: "next" }): Omit<Scenario, "name"> =>
  asked((client) => client.logs(options), body);

export const logPages = topic("client asks for logs", {
  plain: logs(),
  "of a page": logs({ cursor: "here", count: 5 }),
  "that end": logs({}, { runs: [], cursor: "" }),
  "by everything": logs({
    filter: {
      ...common,
      workflowRunId: "wfr_1",
      workflowUrl: URL,
      state: "RUN_FAILED",
      workflowCreatedAt: 1_700_000_000_000,
      messageId: "msg_1",
      host: "app.example.com",
      path: ["/a", "/b"],
    },
  }),
  "by an empty list": logs({ filter: { label: [] } }),
  "by several URLs": logs({ filter: { workflowUrl: [URL, `${URL}/other`] } }),
  "by fields that aren't in a filter": logs({
    workflowRunId: "wfr_1",
    state: "RUN_FAILED",
    workflowUrl: URL,
    label: "own",
    workflowCreatedAt: 1_700_000_000_000,
  }),
});
