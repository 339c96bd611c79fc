import {
  about,
  flag,
  headers,
  list,
  object,
  oneOf,
  type Properties,
  type Schema,
  text,
  texts,
  time,
  whole,
} from "./schema.ts";

const errors = list(object({ error: text, time }, { body: text, headers, status: whole }));

const call: Properties = {
  callUrl: text,
  callMethod: text,
  callHeaders: headers,
  callBody: text,
  callResponseStatus: whole,
  callResponseBody: text,
  callResponseHeaders: headers,
};
const wait: Properties = {
  waitEventId: text,
  waitTimeoutDuration: text,
  waitTimeoutDeadline: time,
  waitTimeout: flag,
};
const invoke: Properties = {
  invokedWorkflowRunId: text,
  invokedWorkflowUrl: text,
  invokedWorkflowCreatedAt: time,
  invokedWorkflowRunBody: text,
  invokedWorkflowRunHeaders: headers,
};

const step: Schema = object(
  { messageId: text, retries: whole },
  {
    ...call,
    ...wait,
    ...invoke,
    callType: text,
    concurrent: whole,
    createdAt: time,
    errors,
    headers,
    nextDeliveryTime: time,
    out: text,
    retryDelay: text,
    sleepFor: { type: ["number", "string"] },
    sleepUntil: { type: ["number", "string"] },
    state: oneOf("STEP_SUCCESS", "STEP_PROGRESS", "STEP_RETRY", "STEP_FAILED", "STEP_CANCELED"),
    stepId: whole,
    stepName: text,
    stepType: text,
  },
);

const report = {
  messageId: text,
  url: text,
  state: oneOf("CALLBACK_INPROGRESS", "CALLBACK_SUCCESS", "CALLBACK_FAIL", "CALLBACK_CANCELED"),
};
const reportMore = {
  errors,
  maxRetries: whole,
  nextDeliveryTime: time,
  responseBody: text,
  responseHeaders: headers,
  responseStatus: whole,
};

const failureFunction: Schema = object(
  { ...report, failHeaders: headers, failStatus: whole, failResponse: text, dlqId: text },
  reportMore,
);

/** What became of the rollbacks of a run's steps. */
export const ROLLBACKS: Schema = list(
  object(
    {
      stepId: whole,
      stepName: text,
      stepType: text,
      state: oneOf("done", "failed"),
      attempts: whole,
    },
    { error: { type: "object" } },
  ),
);

/** A run as its log shows it. */
export const RUN: Schema = object(
  {
    workflowRunId: text,
    workflowUrl: text,
    workflowState: oneOf("RUN_STARTED", "RUN_SUCCESS", "RUN_FAILED", "RUN_CANCELED"),
    workflowRunCreatedAt: time,
    steps: list(
      about(
        object({ type: oneOf("sequential", "parallel", "next"), steps: list(step) }),
        "What was done one after the other, side by side, or what is next.",
      ),
    ),
  },
  {
    dlqId: text,
    failureFunction,
    cancelFunction: object(report, reportMore),
    rollbacks: ROLLBACKS,
    flowControlKey: text,
    invoker: object({ workflowRunId: text, workflowUrl: text, workflowRunCreatedAt: time }),
    label: text,
    labels: texts,
    workflowRunCallerIp: text,
    workflowRunCompletedAt: time,
    workflowRunResponse: text,
  },
);
