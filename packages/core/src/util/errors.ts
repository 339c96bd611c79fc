import { tagOf } from "./check.ts";
import { type Duration, toSeconds } from "./duration.ts";

/** Every `code` that a {@link WorkflowError} can carry. Codes are stable: match on them, not on messages. */
export type WorkflowErrorCode =
  | "body_too_large"
  | "delivery_failed"
  | "engine_refused"
  | "engine_unreachable"
  | "forbidden"
  | "invalid_payload"
  | "malformed_body"
  | "method_not_allowed"
  | "misconfigured"
  | "missing_run_id"
  | "missing_token"
  | "nested_step"
  | "non_retryable"
  | "not_serializable"
  | "protocol_mismatch"
  | "quota_exceeded"
  | "replay_mismatch"
  | "step_failed"
  | "retry_after"
  | "step_refused"
  | "timeout"
  | "unauthorized"
  | "unknown_run"
  | "unknown_workflow"
  | "webhook_unavailable";

/**
 * Something went wrong in the world: a request that can't be trusted or read, an engine that refuses,
 * a workflow that no longer fits its recorded history. Misuse of the API is a `TypeError` instead.
 */
export class WorkflowError extends Error {
  override name = "WorkflowError";
  readonly code: WorkflowErrorCode;

  constructor(code: WorkflowErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Thrown by user code in a step, in the workflow or in the failure function: don't retry.
 * The run fails at once, and its failure function is called with this error's message.
 */
export class WorkflowNonRetryableError extends WorkflowError {
  override name = "WorkflowNonRetryableError";

  constructor(message = "The workflow asked not to be retried.", options?: ErrorOptions) {
    super("non_retryable", message, options);
  }
}

/**
 * Thrown by user code: retry, but not before `retryAfter` has passed.
 * The attempt counts against the run's retries.
 */
export class WorkflowRetryAfterError extends WorkflowError {
  override name = "WorkflowRetryAfterError";
  /** Seconds, or a duration such as `"90s"` or `"5m"`. */
  readonly retryAfter: number | Duration;

  /** @throws TypeError when `retryAfter` isn't a duration */
  constructor(message: string, retryAfter: number | Duration, options?: ErrorOptions) {
    super("retry_after", message, options);
    toSeconds(retryAfter, "retryAfter");
    this.retryAfter = retryAfter;
  }
}

/**
 * A step with `onExhausted: "throw"` has failed for good. It is on record: whatever catches it does so in every invocation.
 * Its message is that of its `cause`, the error that the step has thrown last.
 */
export class WorkflowStepError extends WorkflowError {
  override name = "WorkflowStepError";
  readonly step: { readonly id: number; readonly name: string; readonly type: string };
  /** How often the step was tried. */
  readonly attempts: number;

  constructor(step: WorkflowStepError["step"], attempts: number, cause: Error) {
    super("step_failed", cause.message, { cause });
    this.step = step;
    this.attempts = attempts;
  }
}

/** True for the class above, also for one of another copy of the package. */
export function isStepError(error: unknown): error is WorkflowStepError {
  return isNamed(error, "WorkflowStepError") && "step" in error;
}

/** Failures that would come again, and whose repetition would only repeat the work before them. */
const FINAL_CODES: readonly unknown[] = [
  "invalid_payload",
  "malformed_body",
  "not_serializable",
  "quota_exceeded",
  "step_refused",
];

/**
 * True for the class above, for those that extend it, for one of the same name from another copy of the package (bundlers and
 * package managers do install two, and the error must keep its meaning), and for failures of ours that would come again.
 */
export function isNonRetryable(error: unknown): boolean {
  if (error instanceof WorkflowNonRetryableError) return true;
  if (isNamed(error, "WorkflowNonRetryableError") || isStepError(error)) return true;
  return isNamed(error, "WorkflowError") && "code" in error && FINAL_CODES.includes(error.code);
}

/** As {@link isNonRetryable}, for {@link WorkflowRetryAfterError}. */
export function isRetryAfter(error: unknown): error is { retryAfter: number | Duration } {
  if (error instanceof WorkflowRetryAfterError) return true;
  return isNamed(error, "WorkflowRetryAfterError") && "retryAfter" in error;
}

function isNamed(error: unknown, name: string): error is Error {
  return isError(error) && error.name === name;
}

/** Also for one of another realm, as sandboxes and some test runners have them. */
export function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || tagOf(thrown) === "[object Error]";
}

/** The message of anything that can be thrown. */
export function messageOf(thrown: unknown): string {
  try {
    const value: unknown = isError(thrown) ? thrown.message : thrown;
    return typeof value === "object" ? (JSON.stringify(value) ?? String(value)) : String(value);
  } catch {
    return tagOf(thrown);
  }
}
