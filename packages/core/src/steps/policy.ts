import type { RetryDecision } from "../protocol/outcome.ts";
import { checkCount, checkFunction, mustBe } from "../util/check.ts";
import { type Duration, toMilliseconds, toTimeLimit } from "../util/duration.ts";
import { isNonRetryable } from "../util/errors.ts";

/**
 * Seconds, a duration, or a function that returns either for the number of retries so far: 0 before the
 * first.
 */
export type RetryDelay = number | Duration | ((retried: number) => number | Duration);

/** Retries of a step that throws. Default: the run's settings. */
export interface RetryOptions {
  /** Retries after the first attempt. More than the run's are possible on Perdure's own engine. */
  readonly retries?: number;
  /** The wait before each retry. */
  readonly retryDelay?: RetryDelay;
}

/** Options to undo a step when its run has failed. Perdure's own engine only. */
export interface RollbackOptions<Result = unknown> {
  /**
   * Undoes the step. Called for each step that was started, the last one first, before the failure function;
   * not again once it has returned. It must also work when the step has done nothing yet, or only a part.
   */
  readonly rollback?: (undone: RollbackParams<Result>) => unknown;
  /** Retries of the rollback after its first attempt. Default: the run's retries. */
  readonly rollbackRetries?: number;
  /** The wait before each of these retries. */
  readonly rollbackRetryDelay?: RetryDelay;
  /** Limit of one attempt: seconds or a duration. Default: none. */
  readonly rollbackTimeout?: number | Duration;
}

/** The argument of a rollback. */
export interface RollbackParams<Result = unknown> {
  /** The step's result; `undefined` when the step didn't finish. */
  readonly result: Result | undefined;
  /** The error that failed the run. */
  readonly error: Error;
  readonly step: { readonly id: number; readonly name: string; readonly type: string };
  /** The attempt's number: 1 for the first. */
  readonly attempt: number;
}

/** Options of steps whose work the endpoint does itself. */
export interface StepOptions<Result = unknown> extends RetryOptions, RollbackOptions<Result> {
  /**
   * `"throw"`: a step without retries left is recorded as failed, and rejects with a `WorkflowStepError` in
   * this and each later invocation. `"fail"`: the run fails. Default: the endpoint's `onExhausted`, else
   * `"fail"`.
   */
  readonly onExhausted?: "throw" | "fail";
  /**
   * Begins the step's work once at most: it has no retries, and after a crash during the work the step fails
   * with a `WorkflowStepInterrupted`. Needs inline execution by Perdure's own engine. Only for `context.run`.
   * Default: false.
   */
  readonly atMostOnce?: boolean;
}

/** The attempts of a delivery so far, and its limit. */
export interface AttemptInfo {
  readonly retried: number;
  /** Undefined when the engine doesn't send it. */
  readonly maxRetries: number | undefined;
}

/** The default of engines that don't send their number of retries. */
const DEFAULT_RETRIES = 3;

interface RetryPolicy {
  readonly retries?: number | undefined;
  readonly retryDelay?: RetryDelay | undefined;
}

/** Decides whether, and when, to retry after an error. */
export function decideRetry(
  error: unknown,
  attempt: AttemptInfo,
  { retries, retryDelay }: RetryPolicy,
): RetryDecision {
  const wait = typeof retryDelay === "function" ? retryDelay(attempt.retried) : retryDelay;
  return {
    retries,
    exhausted: isNonRetryable(error) || (retries !== undefined && attempt.retried >= retries),
    delayMs: wait === undefined ? undefined : toMilliseconds(wait, "retryDelay"),
  };
}

/** Like {@link decideRetry}, with a limit even if the engine doesn't send one. */
export function decideRetryWithinLimit(
  error: unknown,
  attempt: AttemptInfo,
  options: RetryPolicy,
): RetryDecision {
  const retries = options.retries ?? attempt.maxRetries ?? DEFAULT_RETRIES;
  return decideRetry(error, attempt, { ...options, retries });
}

/** @throws TypeError for invalid options */
export function checkPolicy(options: StepOptions<never>): void {
  const { onExhausted, rollback } = options;
  for (const option of ["retries", "rollbackRetries"] as const) checkCount(option, options[option]);
  checkOnExhausted(onExhausted);
  if (rollback !== undefined) checkFunction("rollback", rollback);
  for (const option of ["retryDelay", "rollbackRetryDelay"] as const) {
    const wait = options[option];
    if (wait !== undefined && typeof wait !== "function") toMilliseconds(wait, option);
  }
  if (options.rollbackTimeout !== undefined) toTimeLimit(options.rollbackTimeout, "rollbackTimeout");
}

/** @throws TypeError for another value than a boolean, or together with retries */
export function checkAtMostOnce({ atMostOnce, retries }: StepOptions): void {
  if (![true, false, undefined].includes(atMostOnce)) throw mustBe("atMostOnce", "true or false", atMostOnce);
  if (atMostOnce && retries) throw mustBe("retries", "0 with atMostOnce", retries);
}

/** @throws TypeError for another value */
export function checkOnExhausted(value: StepOptions["onExhausted"]): void {
  if (!["throw", "fail", undefined].includes(value)) throw mustBe("onExhausted", '"throw" or "fail"', value);
}

/** Picks the rollback options from a step's settings. @throws TypeError as {@link checkPolicy} */
export function rollbackOf<Result>(settings: RollbackOptions<Result>): RollbackOptions {
  const { rollback, rollbackRetries, rollbackRetryDelay, rollbackTimeout } = settings;
  const options = { rollback, rollbackRetries, rollbackRetryDelay, rollbackTimeout } as RollbackOptions;
  checkPolicy(options);
  return options;
}
