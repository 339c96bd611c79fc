import { ROLLBACKS } from "./runs.ts";
import {
  about,
  base64,
  flag,
  headers,
  list,
  object,
  oneOf,
  type Properties,
  ref,
  type Schema,
  seconds,
  text,
  texts,
  time,
  whole,
} from "./schema.ts";

const labels: Properties = { label: text, labels: texts };
const flow: Properties = {
  flowControlKey: text,
  parallelism: whole,
  rate: whole,
  period: about(whole, "Seconds."),
};
const body: Properties = { body: text, bodyBase64: base64 };
const ofRun: Properties = { workflowRunId: text, workflowCreatedAt: time, workflowUrl: text };
const callbacks: Properties = {
  callback: text,
  callbackHeader: headers,
  failureCallback: text,
  failureCallbackHeader: headers,
};
const message: Properties = {
  messageId: text,
  url: text,
  method: text,
  maxRetries: whole,
  notBefore: time,
  createdAt: time,
  callerIP: text,
};
const messageMore: Properties = {
  header: headers,
  ...body,
  ...callbacks,
  ...labels,
  ...flow,
  ...ofRun,
  api: text,
  callerIp: text,
  endpointName: text,
  queueName: text,
  retryDelayExpression: text,
  scheduleId: text,
  timeout: about(whole, "Milliseconds."),
  topicName: text,
};

const callbackState = oneOf("CALLBACK_INPROGRESS", "CALLBACK_SUCCESS", "CALLBACK_FAIL", "CALLBACK_CANCELED");

/** What the API shows and takes, by name. */
export const RESOURCES: Readonly<Record<string, Schema>> = {
  Error: object({ error: about(text, "What is wrong, and with which field.") }),
  Cancelled: object({ cancelled: whole }),
  Done: about(object({}), "Nothing more to say."),
  Keys: object({ current: text, next: text }),
  Published: object(
    { messageId: text },
    { url: text, deduplicated: flag, workflowRunId: text, workflowCreatedAt: time },
  ),
  Triggered: object({ workflowRunId: text, workflowCreatedAt: time }, { deduplicated: flag }),
  Item: about(
    object(
      { destination: text },
      {
        headers: { type: ["object", "null"], additionalProperties: text },
        body: { type: ["string", "null"] },
        queue: { type: ["string", "null"] },
      },
    ),
    "A message of a batch; its options are headers.",
  ),
  Message: object(message, messageMore),
  DeadLetter: object(
    { dlqId: text, ...message, responseStatus: about(whole, "0 when there was no answer.") },
    {
      ...messageMore,
      error: text,
      failureCallbackInfo: object(
        { state: callbackState },
        { responseStatus: whole, responseBody: text, responseBodyBase64: base64, responseHeaders: headers },
      ),
      failureFunctionState: callbackState,
      rollbacks: ROLLBACKS,
      responseBody: text,
      responseBodyBase64: base64,
      responseHeader: headers,
    },
  ),
  Log: object(
    {
      time,
      messageId: text,
      state: oneOf(
        "CREATED",
        "ACTIVE",
        "RETRY",
        "ERROR",
        "DELIVERED",
        "FAILED",
        "CANCEL_REQUESTED",
        "CANCELLED",
      ),
      url: text,
      body: base64,
    },
    {
      ...message,
      ...messageMore,
      body: base64,
      callbackHeaders: headers,
      error: text,
      failureCallbackHeaders: headers,
      nextDeliveryTime: time,
      responseBody: base64,
      responseHeaders: headers,
      responseStatus: whole,
    },
  ),
  Queue: object({
    name: text,
    createdAt: time,
    updatedAt: time,
    parallelism: whole,
    paused: flag,
    lag: whole,
  }),
  Schedule: object(
    {
      scheduleId: text,
      cron: text,
      createdAt: time,
      destination: text,
      method: text,
      retries: whole,
      isPaused: flag,
    },
    {
      header: headers,
      ...body,
      ...labels,
      ...flow,
      callback: text,
      callerIP: text,
      callerIp: text,
      delay: about(whole, "Seconds."),
      failureCallback: text,
      lastScheduleStates: {
        type: "object",
        additionalProperties: oneOf("IN_PROGRESS", "SUCCESS", "FAIL"),
      },
      lastScheduleTime: time,
      nextScheduleTime: time,
      queueName: text,
      retryDelayExpression: text,
    },
  ),
  Topic: about(
    object({ name: text, createdAt: time, updatedAt: time, endpoints: list(ref("Endpoint")) }, { headers }),
    "A URL group.",
  ),
  Endpoint: object({ url: text }, { name: text }),
  FlowControl: object({
    flowControlKey: text,
    waitListSize: whole,
    parallelismMax: whole,
    parallelismCount: whole,
    rateMax: whole,
    rateCount: whole,
    ratePeriod: about(whole, "Seconds."),
    ratePeriodStart: seconds,
    isPaused: flag,
    isPinnedParallelism: flag,
    isPinnedRate: flag,
  }),
  Parallelism: object({ parallelismMax: whole, parallelismCount: whole }),
  Entry: object({
    messageId: text,
    body: base64,
    callType: oneOf("step", "toCallback", "fromCallback"),
  }),
  Waiter: object({
    url: text,
    deadline: seconds,
    headers,
    timeoutUrl: text,
    timeoutBody: about({}, "As it was sent; null without one."),
    timeoutHeaders: headers,
  }),
  Notified: object(
    { waiter: ref("Waiter"), messageId: text },
    { deduplicated: flag, error: text, workflowRunId: text, workflowCreatedAt: time },
  ),
};
