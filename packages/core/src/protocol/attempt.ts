import { hasStrings } from "../util/check.ts";
import { asErrorBody, type ErrorBody } from "./error.ts";
import { malformed, parseJson } from "./parse.ts";
import { isPositive, type StepType } from "./step.ts";

/** A step, as attempts count it: its record's id isn't known before the step has ended. */
export interface StepKey {
  readonly name: string;
  readonly type: StepType;
  /** 1 for the first step of this name and kind that the workflow requests, 2 for the second, … */
  readonly nth: number;
}

/** A failed attempt of a step. */
export interface InlineAttempt {
  readonly kind: "attempt";
  readonly step: StepKey;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly error: ErrorBody;
  /** The step's retries. Default: the run's. */
  readonly retries?: number | undefined;
  /** Milliseconds until the next attempt. Default: the run's delay. */
  readonly delayMs?: number | undefined;
  /** A retry would fail, too. */
  readonly final?: true | undefined;
}

/** The body of a history entry of the call type `attempt`: the attempt, and what the engine has decided. */
export interface AttemptEntry extends InlineAttempt {
  /** When the step may be tried again, in milliseconds since 1970; absent when no retry is left. */
  readonly retryAt?: number | undefined;
}

/**
 * Parses the body of an `attempt` entry.
 *
 * @throws WorkflowError `malformed_body` when the string isn't an attempt
 * @example
 * ```ts
 * const { step, attempt, error } = parseAttempt(body);
 * ```
 */
export function parseAttempt(json: string): AttemptEntry {
  const subject = "A failed attempt";
  const value = parseJson(subject, json) as AttemptEntry;
  const { step, attempt, error } = Object(value) as AttemptEntry;
  if (hasStrings(step, ["name", "type"]) && isPositive(step.nth) && isPositive(attempt) && asErrorBody(error))
    return value;
  throw malformed(subject, "lacks its required fields", json);
}
