/** The version of the workflow protocol that this package speaks. */
export const PROTOCOL_VERSION = "1";

/** Every header name of the two protocols (QStash and workflow) that Perdure reads or writes, each of them here only. */
export const HEADER = {
  // A workflow's own: on messages to the engine, on deliveries to the endpoint, or on both.
  runId: "Upstash-Workflow-RunId",
  init: "Upstash-Workflow-Init",
  workflowUrl: "Upstash-Workflow-Url",
  createdAt: "Upstash-Workflow-CreatedAt",
  sdkVersion: "Upstash-Workflow-Sdk-Version",
  callType: "Upstash-Workflow-CallType",
  invoke: "Upstash-Workflow-Invoke",
  invokeCount: "Upstash-Workflow-Invoke-Count",
  unknownSdk: "Upstash-Workflow-Unknown-Sdk",
  triggerBySdk: "Upstash-Workflow-Trigger-By-Sdk",
  isFailure: "Upstash-Workflow-Is-Failure",
  isFailureCallback: "Upstash-Workflow-Failure-Callback",

  // On the delivery of a call's answer: which step it answers.
  isCallResult: "Upstash-Workflow-Callback",
  stepId: "Upstash-Workflow-StepId",
  stepName: "Upstash-Workflow-StepName",
  stepType: "Upstash-Workflow-StepType",
  concurrent: "Upstash-Workflow-Concurrent",
  resultContentType: "Upstash-Workflow-ContentType",

  // Ours. How to deliver a run that is yet to be started, on the request that starts it.
  runOptions: "Perdure-Run-Options",
  // When a run that hasn't ended has failed, on the request that starts it: a duration after its start.
  runTimeout: "Perdure-Run-Timeout",
  // How often a delivery may be retried: our engine tells it with each, and an answer that failed may ask for another number.
  maxRetries: "Perdure-Max-Retries",
  // What the endpoint wants to be done for its runs, on its answers to our engine.
  traits: "Perdure-Traits",
  // On an answer to a failure or a cancellation: one rollback is on record in its body, or nothing is left to roll back.
  rollback: "Perdure-Rollback",

  // On the endpoint's answers.
  sdkName: "Upstash-Workflow-Sdk",
  noFailureFunction: "Upstash-Workflow-Failure-Callback-Notfound",
  nonRetryable: "Upstash-NonRetryable-Error",
  errorStepName: "Upstash-Error-Step-Name",
  retryAfter: "Retry-After",

  // Options of a message.
  method: "Upstash-Method",
  retries: "Upstash-Retries",
  retryDelay: "Upstash-Retry-Delay",
  delay: "Upstash-Delay",
  notBefore: "Upstash-Not-Before",
  timeout: "Upstash-Timeout",
  featureSet: "Upstash-Feature-Set",
  label: "Upstash-Label",
  flowControlKey: "Upstash-Flow-Control-Key",
  flowControlValue: "Upstash-Flow-Control-Value",
  redactFields: "Upstash-Redact-Fields",
  callback: "Upstash-Callback",
  failureCallback: "Upstash-Failure-Callback",
  headerForward: "Upstash-Header-Forward",
  deduplicationId: "Upstash-Deduplication-Id",
  contentBasedDeduplication: "Upstash-Content-Based-Deduplication",
  queueName: "Upstash-Queue-Name",
  cron: "Upstash-Cron",
  scheduleId: "Upstash-Schedule-Id",

  // On every delivery.
  messageId: "Upstash-Message-Id",
  retried: "Upstash-Retried",
  signature: "Upstash-Signature",
  region: "Upstash-Region",
  callerIp: "Upstash-Caller-Ip",
  topicName: "Upstash-Topic-Name",

  telemetrySdk: "Upstash-Telemetry-Sdk",
  telemetryRuntime: "Upstash-Telemetry-Runtime",

  contentType: "Content-Type",
} as const;

/** Go's canonical spelling of {@link HEADER.runId}: within a body, where spelling counts, engines may look for this one. */
export const CANONICAL_RUN_ID = "Upstash-Workflow-Runid";

/** What headers' names begin with, and what it means: for whom they are. */
export const PREFIX = {
  own: "Upstash-",
  forward: "Upstash-Forward-",
  callback: "Upstash-Callback-",
  failureCallback: "Upstash-Failure-Callback-",
  workflow: "Upstash-Workflow-",
  telemetry: "Upstash-Telemetry-",
} as const;

/** What a workflow's messages ask of the engine, joined by commas in {@link HEADER.featureSet}. */
export const FEATURES = "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig";

/** What a message to a third party asks for: its failure is a result, and not the end of the run. */
export const CALL_FEATURES = "WF_NoDelete,InitialBody";

/** The name under which the engine hands `name` on to the endpoint. */
export function forward(name: string): string {
  return PREFIX.forward + name;
}

/** The name under which an `Upstash-*` option applies to the callback instead of to the message. */
export function forCallback(option: string): string {
  return PREFIX.callback + option.slice(PREFIX.own.length);
}

/** The name under which an `Upstash-*` option applies to the failure callback instead of to the message. */
export function forFailureCallback(option: string): string {
  return PREFIX.failureCallback + option.slice(PREFIX.own.length);
}
