import { URL } from "../support/deliveries.ts";
import { type Scenario, topic } from "../support/scenario.ts";
import type { Client } from "../support/sdks.ts";

type Dlq = Client["dlq"];

const asked = (
  ask: (dlq: Dlq) => Promise<unknown>,
  body: unknown,
  more: Partial<Scenario> = {},
): Omit<Scenario, "name"> => ({ client: [(client) => ask(client.dlq)], engine: () => ({ body }), ...more });

const letter = {
  dlqId: "dlq_1",
  messageId: "msg_1",
  workflowRunId: "wfr_1",
  responseBody: "no",
  labels: ["l"],
};
const list = (options?: Parameters<Dlq["list"]>[0], cursor = "next"): Omit<Scenario, "name"> =>
  asked((dlq) => dlq.list(options), { messages: [letter], cursor });

const DAY = 86_400_000;
const filter = {
  fromDate: new Date(DAY),
  toDate: 2 * DAY,
  label: ["one", "two"],
  callerIp: "1.1.1.1",
  flowControlKey: "k",
  workflowUrl: [URL, `${URL}/other`],
  workflowRunId: "wfr_1",
  workflowCreatedAt: 1_700_000_000_000,
};

export const lists = topic("dead letters", {
  plain: list(),
  "of a page": list({ cursor: "here", count: 5 }),
  "that end": list({}, ""),
  "by everything": list({ filter: { ...filter, failureFunctionState: "CALLBACK_FAIL" } }),
  "by a status": list({ filter: { responseStatus: 500 } }),
  "by an empty list": list({ filter: { label: [] } }),
});

const retried = {
  workflowRuns: [{ workflowRunId: "wfr_2", workflowCreatedAt: "1700000000000" }],
  cursor: "next",
};
const options = { retries: 2, flowControl: { key: "k", parallelism: 1 } };

/** The same for both ways to try again. */
const again = (how: "resume" | "restart"): Scenario[] => {
  type Again = Parameters<Dlq["resume"]>;
  const retry = (...given: Again): Omit<Scenario, "name"> => asked((dlq) => dlq[how](...given), retried);
  return topic(how, {
    one: retry("dlq_1"),
    "a list": retry(["dlq_1", "dlq_2"]),
    "a list by its name": retry({ dlqIds: ["dlq_1", "dlq_2"] }),
    "one by its name": retry({ dlqIds: "dlq_1" }),
    "an empty list": retry([]),
    "an empty id": retry(""),
    "with options": retry("dlq_1", options),
    "without retries": retry("dlq_1", { retries: 0 }),
    "with as many retries as usual": retry("dlq_1", { retries: 3 }),
    "by everything": retry({ filter, count: 7, cursor: "here" }),
    "by an empty filter": retry({ filter: {} }),
    all: retry({ all: true }),
    "all, some at a time": retry({ all: true, count: 5, cursor: "here" }),
    "the last of them": asked((dlq) => dlq[how]({ all: true }), { workflowRuns: [], cursor: "" }),
    "as before 1.2.1": retry({ dlqId: "dlq_1", retries: 1 } as never),
    "several as before 1.2.1": retry({ dlqId: ["dlq_1", "dlq_2"] } as never),
  });
};

export const resumes = again("resume");
export const restarts = again("restart");

const remove = (selection: Parameters<Dlq["delete"]>[0], body: unknown = { deleted: 2 }) =>
  asked((dlq) => dlq.delete(selection), body);

export const deletions = topic("delete", {
  one: remove("dlq_1"),
  "a list": remove(["dlq_1", "dlq_2"]),
  "an empty list": remove([]),
  "by everything": remove({ filter, count: 7, cursor: "here" }, { deleted: 7, cursor: "next" }),
  all: remove({ all: true }, { deleted: 7, cursor: "" }),
  nothing: remove({} as never),
});

export const functionRetries = topic("retry of a failure function", {
  plain: asked((dlq) => dlq.retryFailureFunction({ dlqId: "dlq_1" }), {
    workflowRunId: "wfr_1",
    workflowCreatedAt: "1",
  }),
  "without an id": asked((dlq) => dlq.retryFailureFunction({ dlqId: "" }), {}),
  "that the engine refuses": asked((dlq) => dlq.retryFailureFunction({ dlqId: "dlq_1" }), undefined, {
    engine: () => ({ status: 400, body: { error: "no" } }),
  }),
});
