export type {
  DeadLetterFilters,
  DeadLetterPage,
  DeadLetterSelection,
  RetriedRun,
  RetriedRuns,
  RetryOptions,
} from "./client/dlq.ts";
export { Client, type NotifyEventOptions, type NotifyOptions } from "./client/index.ts";
export type { EndedRun, Run } from "./client/run.ts";
export type { WaitForRun } from "./client/run-waiter.ts";
export type {
  CancelFilters,
  LogsOptions,
  RunFilters,
  RunPage,
} from "./client/runs.ts";
export type { ScheduleOptions } from "./client/schedules.ts";
export type { Selection } from "./client/select.ts";
export type {
  AndWait,
  TriggeredRun,
  TriggerOptions,
  TriggerOptionsOf,
  TriggerResult,
  TriggerWorkflowOptions,
} from "./client/trigger.ts";
export type { RunContext, WorkflowApi, WorkflowContext } from "./context.ts";
export type { EngineConfig } from "./engine-client/http.ts";
export type { GivenClient } from "./engine-client/resolve-engine.ts";
export { defineEvent } from "./events.ts";
export {
  type Around,
  loggingMiddleware,
  type MiddlewareCallbacks,
  type MiddlewareEvents,
  type MiddlewareScope,
  WorkflowMiddleware,
} from "./middleware.ts";
export type { CallRequest } from "./protocol/call.ts";
export type { FailureFunctionPayload, RunError } from "./protocol/error.ts";
export type { AttemptError, DeadLetter, RunLog, StepLog } from "./protocol/log.ts";
export type { Redact, RunOptions } from "./protocol/message.ts";
export type { FlowControl } from "./protocol/options.ts";
export type { RetryDelayOption } from "./protocol/retry-delay.ts";
export type { Env } from "./protocol/variables.ts";
export type { NotifyResponse, Waiter } from "./protocol/wait.ts";
export {
  type Endpoint,
  type Handler,
  type InlineOptions,
  type JsonServeOptions,
  type ServeOptions,
  serve,
} from "./serve.ts";
export type { AuthorizationRequest, Authorize } from "./server/authorize.ts";
export { memoryReplayGuard } from "./server/replay-guard.ts";
export type { Receiver, ReplayGuard, SigningKeys } from "./server/signature.ts";
export type {
  CallResponse,
  CallWorkflow,
  EventResponse,
  Invokable,
  InvokeResponse,
  InvokeSettings,
  NotifyStepResponse,
  PayloadOf,
  ResultOf,
  RetryDelay,
  RollbackOptions,
  RollbackParams,
  StepAttempt,
  StepOptions,
  WaitOptions,
  WaitResponse,
  Webhook,
  WebhookEventResponse,
  WebhookResponse,
  WorkflowEvent,
} from "./steps/index.ts";
export type { Duration } from "./util/duration.ts";
export {
  WorkflowError,
  type WorkflowErrorCode,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
  WorkflowStepError,
  WorkflowStepInterrupted,
} from "./util/errors.ts";
export type { Jsonify } from "./util/jsonify.ts";
export type { Schema } from "./util/schema.ts";
export type {
  CancelFunction,
  CancelFunctionParams,
  CompletedStep,
  FailureFunction,
  FailureFunctionParams,
  RecordableWorkflow,
  Rollback,
  WorkflowFunction,
} from "./workflow.ts";
export { createWorkflow, type SharedOptions, serveMany, type Workflow } from "./workflows.ts";
