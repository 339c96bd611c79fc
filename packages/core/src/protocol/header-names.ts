// Every header name of the two protocols (QStash and workflow) that Perdure reads or writes. Imported as HEADER.

// Headers of a workflow: on messages to the engine, on deliveries to the endpoint, or on both.
export const runId = "Upstash-Workflow-RunId";
export const init = "Upstash-Workflow-Init";
export const workflowUrl = "Upstash-Workflow-Url";
export const createdAt = "Upstash-Workflow-CreatedAt";
export const sdkVersion = "Upstash-Workflow-Sdk-Version";
export const callType = "Upstash-Workflow-CallType";
export const invoke = "Upstash-Workflow-Invoke";
export const invokeCount = "Upstash-Workflow-Invoke-Count";
export const unknownSdk = "Upstash-Workflow-Unknown-Sdk";
export const triggerBySdk = "Upstash-Workflow-Trigger-By-Sdk";
export const isFailure = "Upstash-Workflow-Is-Failure";
export const isFailureCallback = "Upstash-Workflow-Failure-Callback";

// Headers that name the step, on the delivery of a call's answer.
export const isCallResult = "Upstash-Workflow-Callback";
export const stepId = "Upstash-Workflow-StepId";
export const stepName = "Upstash-Workflow-StepName";
export const stepType = "Upstash-Workflow-StepType";
export const concurrent = "Upstash-Workflow-Concurrent";
export const resultContentType = "Upstash-Workflow-ContentType";

// Perdure's own. The delivery options of a run, on the request that starts it.
export const runOptions = "Perdure-Run-Options";
// The duration after which the engine fails a run, on the request that starts it.
export const runTimeout = "Perdure-Run-Timeout";
// Identifies a trigger in each attempt to send it: the engine recognizes the run that it has started, even after the run's end.
export const triggerId = "Perdure-Trigger-Id";
// The number of retries: Perdure's engine sends it with each delivery, and a failed answer may ask for another number.
// Ends in RETRIES_BY_DEFAULT while neither the run's trigger nor its endpoint has set the number.
export const maxRetries = "Perdure-Max-Retries";
// The options of the failure function that the trigger sets itself: the others repeat the run's, for engines that need them.
export const failureOptions = "Perdure-Failure-Options";
// The endpoint's options for all of its runs, on its answers to Perdure's engine.
export const capabilities = "Perdure-Capabilities";
// On an answer to a failure or a cancellation: its body records one rollback, or no rollback is left.
export const rollback = "Perdure-Rollback";
// The right to append to a run: on its deliveries, and on the answer of an endpoint that takes it.
export const lease = "Perdure-Lease";
// When the engine sent a delivery with a lease, in milliseconds since 1970: times of retries are by the engine's clock.
export const engineTime = "Perdure-Time";
// On a delivery of a run that continues a failed one: the id of the first of them. A step's idempotency key is derived from it.
export const originalRun = "Perdure-Original-Run";

// Headers of the endpoint's answers.
export const sdkName = "Upstash-Workflow-Sdk";
export const noFailureFunction = "Upstash-Workflow-Failure-Callback-Notfound";
export const nonRetryable = "Upstash-NonRetryable-Error";
export const errorStepName = "Upstash-Error-Step-Name";
export const retryAfter = "Retry-After";

// Options of a message.
export const method = "Upstash-Method";
export const retries = "Upstash-Retries";
export const retryDelay = "Upstash-Retry-Delay";
export const delay = "Upstash-Delay";
export const notBefore = "Upstash-Not-Before";
export const timeout = "Upstash-Timeout";
export const featureSet = "Upstash-Feature-Set";
export const label = "Upstash-Label";
export const flowControlKey = "Upstash-Flow-Control-Key";
export const flowControlValue = "Upstash-Flow-Control-Value";
export const redactFields = "Upstash-Redact-Fields";
export const callback = "Upstash-Callback";
export const failureCallback = "Upstash-Failure-Callback";
export const headerForward = "Upstash-Header-Forward";
export const deduplicationId = "Upstash-Deduplication-Id";
export const contentBasedDeduplication = "Upstash-Content-Based-Deduplication";
export const queueName = "Upstash-Queue-Name";
export const cron = "Upstash-Cron";
export const scheduleId = "Upstash-Schedule-Id";

// Headers of every delivery.
export const messageId = "Upstash-Message-Id";
export const retried = "Upstash-Retried";
export const signature = "Upstash-Signature";
export const region = "Upstash-Region";
export const callerIp = "Upstash-Caller-Ip";
export const topicName = "Upstash-Topic-Name";

export const telemetrySdk = "Upstash-Telemetry-Sdk";
export const telemetryRuntime = "Upstash-Telemetry-Runtime";

export const contentType = "Content-Type";
