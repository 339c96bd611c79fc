import { safely, tagOf } from "./check.ts";
import { type Duration, toSeconds } from "./duration.ts";

/** Every `code` that a {@link WorkflowError} can carry. Codes are stable: match on them, not on messages. */
export type WorkflowErrorCode =
  | "body_too_large"
  | "delivery_failed"
  | "engine_refused"
  | "engine_unreachable"
  | "inline_required"
  | "forbidden"
  | "invalid_event"
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
  | "step_interrupted"
  | "retry_after"
  | "step_refused"
  | "timeout"
  | "unauthorized"
  | "unknown_run"
  | "unknown_workflow"
  | "webhook_unavailable";

/**
 * An error at run time: a request that can't be trusted or read, an engine that refuses, a workflow that no longer fits its
 * recorded history. Misuse of the API throws a `TypeError` instead.
 */
export class WorkflowError extends Error {
  override name = "WorkflowError";
  declare readonly code: WorkflowErrorCode;

  constructor(code: WorkflowErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * User code throws it in a step, in the workflow or in the failure function to prevent retries. The run fails at once, and its
 * failure function receives this error's message.
 *
 * @example
 * ```ts
 * if (card.expired) throw new WorkflowNonRetryableError("The card has expired.");
 * ```
 */
export class WorkflowNonRetryableError extends WorkflowError {
  override name = "WorkflowNonRetryableError";

  constructor(message = "The workflow forbids a retry.", options?: ErrorOptions) {
    super("non_retryable", message, options);
  }
}

/**
 * User code throws it to make the engine wait for `retryAfter` before the next retry. The attempt counts against the run's
 * retries.
 *
 * @example
 * ```ts
 * if (response.status === 429) throw new WorkflowRetryAfterError("The API is busy.", "90s");
 * ```
 */
export class WorkflowRetryAfterError extends WorkflowError {
  override name = "WorkflowRetryAfterError";
  /** Seconds, or a duration such as `"90s"` or `"5m"`. */
  declare readonly retryAfter: number | Duration;

  /** @throws TypeError when `retryAfter` isn't a duration */
  constructor(message: string, retryAfter: number | Duration, options?: ErrorOptions) {
    super("retry_after", message, options);
    toSeconds(retryAfter, "retryAfter");
    this.retryAfter = retryAfter;
  }
}

/**
 * A step with `onExhausted: "throw"` has failed and has no retries left. The failure is recorded, so the workflow catches it in
 * every invocation. The message is that of `cause`, the step's last error.
 */
export class WorkflowStepError extends WorkflowError {
  override name = "WorkflowStepError";
  declare readonly step: { readonly id: number; readonly name: string; readonly type: string };
  /** The number of attempts that the step had. */
  declare readonly attempts: number;

  constructor(step: WorkflowStepError["step"], attempts: number, cause: Error) {
    super("step_failed", cause.message, { cause });
    this.step = step;
    this.attempts = attempts;
  }
}

/** True for a {@link WorkflowStepError}, also from another copy of the package. */
export function isStepError(error: unknown): error is WorkflowStepError {
  return isNamed(error, "WorkflowStepError") && "step" in error;
}

/**
 * The failure of a step with `atMostOnce` whose invocation ended without a result: whether the work has had its effect is
 * unknown, and the runtime doesn't begin it again.
 */
export class WorkflowStepInterrupted extends WorkflowError {
  override name = "WorkflowStepInterrupted";

  constructor(stepName: string) {
    const message = `Step "${stepName}" has atMostOnce, and the invocation that began it ended without its result. Find out whether the work has had its effect.`;
    super("step_interrupted", message);
  }
}

/** Codes of errors that a retry would get again. */
const FINAL_CODES: readonly unknown[] = [
  "inline_required",
  "invalid_event",
  "invalid_payload",
  "malformed_body",
  "not_serializable",
  "quota_exceeded",
  "step_refused",
];

/**
 * True for a {@link WorkflowNonRetryableError}, also from another copy of the package, which bundlers and package managers may
 * install, and for errors of this package that a retry would get again.
 */
export function isNonRetryable(error: unknown): boolean {
  if (isA(error, WorkflowNonRetryableError, "WorkflowNonRetryableError") || isStepError(error)) return true;
  return isNamed(error, "WorkflowError") && "code" in error && FINAL_CODES.includes(error.code);
}

/** True for a {@link WorkflowRetryAfterError}, also from another copy of the package. */
export function isRetryAfter(error: unknown): error is { retryAfter: number | Duration } {
  return isA(error, WorkflowRetryAfterError, "WorkflowRetryAfterError") && "retryAfter" in error;
}

function isA(error: unknown, type: new (...args: never[]) => Error, name: string): error is Error {
  return isError(error) && (error instanceof type || isNamed(error, name));
}

function isNamed(error: unknown, name: string): error is Error {
  // User code may throw a proxy, or an error with getters, which throw, too.
  return isError(error) && safely(() => error.name) === name;
}

/** True for an error, also from another realm: sandboxes and some test runners have several. */
export function isError(thrown: unknown): thrown is Error {
  return safely(() => thrown instanceof Error) || tagOf(thrown) === "[object Error]";
}

/** Returns the message of a thrown value, which may be anything. */
export function messageOf(thrown: unknown): string {
  const read = (): string => {
    const value: unknown = isError(thrown) ? thrown.message : thrown;
    if (typeof value !== "object") return String(value);
    const json = toJson(value);
    // A `Response`, which some routers throw, has no fields of its own; nor has a class whose fields are private.
    return json === "{}" ? String(value).replace("[object Object]", json) : json;
  };
  return safely(read) ?? "a value that can't be read";
}

/** Returns an object as JSON, with a `bigint` as a string, and "…" for each part that leads back to itself. */
function toJson(value: unknown): string {
  const plain = (_key: string, part: unknown): unknown => (typeof part === "bigint" ? String(part) : part);

  return JSON.stringify(value, (key, part) =>
    key && typeof part === "object" && !safely(() => JSON.stringify(part, plain)) ? "…" : plain(key, part),
  );
}
