import { z } from "zod";
import type { Output } from "./route.ts";
import { callbackState, headers, labels, rollbacks, time } from "./schemas.ts";

/** The state of a step. */
export const stepState = z.enum([
  "STEP_PROGRESS",
  "STEP_SUCCESS",
  "STEP_RETRY",
  "STEP_FAILED",
  "STEP_CANCELED",
]);

export type StepState = z.output<typeof stepState>;

/** The state of a run. */
export const runState = z.enum(["RUN_STARTED", "RUN_SUCCESS", "RUN_FAILED", "RUN_CANCELED"]);

/** The failed attempts. */
const errors = z
  .array(z.object({ error: z.string(), body: z.string(), headers, status: z.int(), time }))
  .optional();

const call = {
  callUrl: z.string().optional(),
  callMethod: z.string().optional(),
  callHeaders: headers.optional(),
  callBody: z.string().optional(),
  callResponseStatus: z.number().optional(),
  callResponseBody: z.string().optional(),
  callResponseHeaders: headers.optional(),
};
const wait = {
  waitEventId: z.string().optional(),
  waitTimeoutDuration: z.string().optional(),
  waitTimeoutDeadline: time.optional(),
  waitTimeout: z.boolean().optional(),
};
const invoke = {
  invokedWorkflowRunId: z.string().optional(),
  invokedWorkflowUrl: z.string().optional(),
  invokedWorkflowCreatedAt: time.optional(),
  invokedWorkflowRunBody: z.string().optional(),
  invokedWorkflowRunHeaders: headers.optional(),
};
const kinds = z.object({ ...call, ...wait, ...invoke });

export const step = z.object({
  messageId: z.string(),
  retries: z.int(),
  ...kinds.shape,
  callType: z.string().optional(),
  concurrent: z.int().optional(),
  createdAt: time.optional(),
  startedAt: time.optional(),
  durationMs: z.number().optional(),
  errors,
  headers: headers.optional(),
  nextDeliveryTime: time.optional(),
  out: z.string().optional(),
  retryDelay: z.string().optional(),
  sleepFor: z.union([z.number(), z.string()]).optional(),
  sleepUntil: z.union([z.number(), z.string()]).optional(),
  state: stepState.optional(),
  stepId: z.int().optional(),
  stepName: z.string().optional(),
  stepType: z.string().optional(),
});

export const report = z.object({
  messageId: z.string(),
  url: z.string(),
  state: callbackState,
  errors,
  maxRetries: z.int(),
  nextDeliveryTime: time.optional(),
  responseBody: z.string().optional(),
  responseHeaders: headers.optional(),
  responseStatus: z.int().optional(),
});

const group = z
  .object({ type: z.enum(["sequential", "parallel", "next"]), steps: z.array(step) })
  .meta({ description: "What was done one after the other, side by side, or what is next." });

export const failureFunction = z.object({
  ...report.shape,
  failHeaders: headers,
  failStatus: z.int(),
  failResponse: z.string(),
  dlqId: z.string(),
});

export const runError = z
  .object({
    name: z.string(),
    message: z.string(),
    where: z.string(),
    step: z.object({ id: z.int(), name: z.string(), type: z.string() }).optional(),
  })
  .meta({ description: "Why a run has failed: the error, and where it was thrown." });

/** The run that waits for the end of a run that it has invoked. */
export const invoker = z
  .object({ workflowRunId: z.string(), workflowUrl: z.string(), workflowRunCreatedAt: time })
  .optional();

/** The fields of a run in every list. */
export const runHead = {
  workflowRunId: z.string(),
  workflowUrl: z.string(),
  workflowState: runState,
  workflowRunCreatedAt: time,
  workflowRunCompletedAt: time.optional(),
} as const;

/** A run in the logs. */
export const run = z
  .object({
    ...runHead,
    workflowRunCallerIp: z.string(),
    steps: z.array(group),
    workflowRunResponse: z.string().optional(),
    workflowRunError: runError.optional(),
    invoker,
    dlqId: z.string().optional(),
    failureFunction: failureFunction.optional(),
    cancelFunction: report.optional(),
    rollbacks,
    ...labels,
    flowControlKey: z.string().optional(),
  })
  .meta({ id: "Run" });

export type RunView = Output<typeof run>;
export type RunHead = Pick<RunView, keyof typeof runHead>;
export type GroupView = Output<typeof group>;
export type StepView = Output<typeof step>;
/** The fields of a step that depend on its kind. */
export type KindView = Output<typeof kinds>;
/** The state of the report of a run's end. */
export type ReportView = Output<typeof report>;
