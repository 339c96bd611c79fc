export type { AuthorizationRequest, Authorize } from "./border/authorize.ts";
export type { EngineConfig } from "./border/engine.ts";
export type { Env } from "./border/settings.ts";
export type { Receiver, SigningKeys } from "./border/signature.ts";
export { Client, type TriggerOptions, type TriggerResult } from "./client/index.ts";
export type { RunContext, WorkflowContext } from "./context.ts";
export type { Duration } from "./kernel/duration.ts";
export {
  WorkflowError,
  type WorkflowErrorCode,
  WorkflowNonRetryableError,
  WorkflowRetryAfterError,
} from "./kernel/errors.ts";
export type { Schema } from "./kernel/schema.ts";
export type { FlowControl, Redact, RunOptions } from "./protocol/message.ts";
export { type Handler, type ServeOptions, serve } from "./serve.ts";
export type { FailureFunction, FailureFunctionParams, WorkflowFunction } from "./workflow.ts";
