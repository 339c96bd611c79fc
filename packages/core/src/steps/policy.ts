import type { RetryDecision } from "../protocol/outcome.ts";
import { checkFunction, mustBe } from "../util/check.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { isNonRetryable } from "../util/errors.ts";

/** Seconds, a duration, or a function that returns either for the number of retries so far: 0 before the first. */
export type RetryDelay = number | Duration | ((retried: number) => number | Duration);

/** How a step is tried again when it throws. What isn't said is as the run has it. */
export interface RetryOptions {
  /** After the first attempt. More than the run's are possible on Perdure's own engine. */
  readonly retries?: number;
  /** Before each retry. */
  readonly retryDelay?: RetryDelay;
}

/** What is done about a step when its run has failed. Perdure's own engine only. */
export interface RollbackOptions<Result = unknown> {
  /**
   * Undoes the step. Called for each step that was started, the last one first, before the failure function; not again
   * once it has returned. It must bear that the step has done nothing yet, or not all.
   */
  readonly rollback?: (undone: RollbackParams<Result>) => unknown;
  /** After its first attempt. Default: the run's retries. */
  readonly rollbackRetries?: number;
  /** Before each of them. */
  readonly rollbackRetryDelay?: RetryDelay;
  /** For an attempt: seconds or a duration. None by default. */
  readonly rollbackTimeout?: number | Duration;
}

/** What a rollback is told. */
export interface RollbackParams<Result = unknown> {
  /** What the step returned; `undefined` when it didn't come to its end. */
  readonly result: Result | undefined;
  /** Why the run has failed. */
  readonly error: Error;
  readonly step: { readonly id: number; readonly name: string; readonly type: string };
  /** 1 for the first. */
  readonly attempt: number;
}

/** Of steps that are run here. */
export interface StepOptions<Result = unknown> extends RetryOptions, RollbackOptions<Result> {
  /**
   * `"throw"`: once its retries are used up, the step is on record as failed, and rejects with a `WorkflowStepError`, now
   * and in each invocation. `"fail"`: the run fails. Default: as beside the workflow, else `"fail"`.
   */
  readonly onExhausted?: "throw" | "fail";
}

/** A delivery, as far as it tells how often something was tried. */
export interface AttemptInfo {
  readonly retried: number;
  /** Where the engine tells. */
  readonly maxRetries: number | undefined;
}

/** Of engines that don't tell. */
const DEFAULT_RETRIES = 3;

interface RetryPolicy {
  readonly retries?: number | undefined;
  readonly retryDelay?: RetryDelay | undefined;
}

/** Whether, and when, something that has thrown is tried again. */
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

/** As {@link decideRetry}, where it is to be known when they are used up. */
export function decideRetryWithinLimit(
  error: unknown,
  attempt: AttemptInfo,
  options: RetryPolicy,
): RetryDecision {
  const retries = options.retries ?? attempt.maxRetries ?? DEFAULT_RETRIES;
  return decideRetry(error, attempt, { ...options, retries });
}

/** @throws TypeError for options that can't be obeyed */
export function checkPolicy(options: StepOptions<never>): void {
  const { onExhausted, rollback } = options;
  for (const option of ["retries", "rollbackRetries"] as const) {
    const count = options[option];
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0))
      throw mustBe(option, "a whole number from 0 on", count);
  }
  checkOnExhausted(onExhausted);
  if (rollback !== undefined) checkFunction("rollback", rollback);
  for (const option of ["retryDelay", "rollbackRetryDelay", "rollbackTimeout"] as const) {
    const wait = options[option];
    if (wait !== undefined && typeof wait !== "function") toMilliseconds(wait, option);
  }
}

/** @throws TypeError for another value */
export function checkOnExhausted(value: StepOptions["onExhausted"]): void {
  if (!["throw", "fail", undefined].includes(value)) throw mustBe("onExhausted", '"throw" or "fail"', value);
}

/** What of a step's settings is about its rollback. @throws TypeError as {@link checkPolicy} */
export function rollbackOf<Result>(settings: RollbackOptions<Result>): RollbackOptions {
  const { rollback, rollbackRetries, rollbackRetryDelay, rollbackTimeout } = settings;
  const options = { rollback, rollbackRetries, rollbackRetryDelay, rollbackTimeout } as RollbackOptions;
  checkPolicy(options);
  return options;
}
