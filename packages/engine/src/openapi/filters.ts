import { about, flag, oneOf, type Properties, text, time, whole } from "./schema.ts";

const dates: Properties = { fromDate: time, toDate: time };
const pages: Properties = {
  cursor: about(text, "From the previous page."),
  count: about(whole, "Entries at most."),
};
const places: Properties = { host: text, path: text };
/** Repeated, or several with commas between them, where it isn't a URL. */
const messages: Properties = {
  ...dates,
  callerIp: text,
  flowControlKey: text,
  label: text,
  topicName: text,
  url: text,
};
const origins: Properties = { queueName: text, scheduleId: text };
const order: Properties = { order: oneOf("latestFirst", "earliestFirst") };

/** Of `DELETE /v2/messages`. */
export const MESSAGES: Properties = {
  ...messages,
  ...origins,
  ...places,
  callerIP: text,
  count: pages.count as Properties[string],
  messageIds: text,
};

/** Of the lists of logs. */
export const LOGS: Properties = {
  ...messages,
  ...origins,
  ...pages,
  ...places,
  ...order,
  messageId: text,
  messageIds: text,
  state: text,
};

/** Of everything that chooses dead letters. */
export const DEAD_LETTERS: Properties = {
  ...messages,
  ...origins,
  ...pages,
  ...order,
  dlqIds: text,
  failureFunctionState: text,
  messageId: text,
  responseStatus: whole,
  source: oneOf("workflow"),
  workflowCreatedAt: time,
  workflowRunId: text,
  workflowUrl: text,
};

const runs: Properties = { ...dates, ...places, callerIp: text, flowControlKey: text, label: text };

/** Of the lists of runs. */
export const RUN_LOGS: Properties = {
  ...runs,
  ...pages,
  groupBy: oneOf("workflowRunId"),
  messageId: text,
  state: text,
  trimBody: about(whole, "Bytes of each body that are shown; -1 for none."),
  workflowCreatedAt: time,
  workflowRunId: text,
  workflowRuns: about(text, "Runs by id and time: ID@TIME."),
  workflowUrl: text,
};

/** Of `DELETE /v2/workflows/runs`. */
export const RUNS: Properties = {
  ...runs,
  count: pages.count as Properties[string],
  workflowRunIds: text,
  workflowUrl: text,
  workflowUrlExactMatch: flag,
};
