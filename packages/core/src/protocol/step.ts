import { hasStrings } from "../util/check.ts";
import { asErrorBody, type ErrorBody } from "./error.ts";
import { malformed, parseJson } from "./parse.ts";
import { keyOf } from "./record-key.ts";

/** The kinds of step, as the wire names them. */
export type StepType =
  | "Run"
  | "SleepFor"
  | "SleepUntil"
  | "Call"
  | "Wait"
  | "Notify"
  | "Invoke"
  | "CreateWebhook"
  | "WaitForWebhook";

/**
 * One line of a run's history: the result of a step, or the plan to run one.
 *
 * A plan has `stepId` 0 and names in `targetStep` the id of the result that it will become. Only members of a
 * parallel group have plans; their `concurrent` is the size of the group, and 1 everywhere else.
 */
export interface StepRecord {
  readonly stepId: number;
  readonly stepName: string;
  readonly stepType: StepType;
  readonly concurrent: number;
  readonly targetStep?: number;
  /** The result as a JSON string; absent for `undefined`. */
  readonly out?: string | undefined;
  /** Seconds or a duration. */
  readonly sleepFor?: number | string;
  /** Unix time in seconds. */
  readonly sleepUntil?: number;
  readonly waitEventId?: string;
  readonly timeout?: string;
  readonly waitTimeout?: boolean;
  /** The step has failed, and the workflow can catch the failure. The record has no `out` then. */
  readonly failure?: { readonly attempts: number; readonly error: ErrorBody };
  /** The step has a rollback. */
  readonly rollback?: true | undefined;
  /**
   * 2 for the second step of this name and kind that the workflow requests, 3 for the third, …; absent for the first. Only of
   * steps that ran inline: their records are in the order in which they end, and not in which they were requested.
   */
  readonly nth?: number | undefined;
  /** When the work of the recorded attempt began, in milliseconds since 1970. Only of steps that ran inline. */
  readonly startedAt?: number;
  /** How long it took, in milliseconds. */
  readonly durationMs?: number;
  /** Other steps were pending at its begin or end. Only of steps that ran inline: their `concurrent` is 1. */
  readonly parallel?: true;
}

/** A record's step, in the form of the public API. */
export function stepOf({ stepId, stepName, stepType }: StepOf): { id: number; name: string; type: StepType } {
  return { id: stepId, name: stepName, type: stepType };
}

type StepOf = Pick<StepRecord, "stepId" | "stepName" | "stepType">;

/**
 * Returns the id of the step's result, also for a plan.
 *
 * @example
 * ```ts
 * const plan = { stepId: 0, targetStep: 2, stepName: "b", stepType: "Run", concurrent: 2 } as const;
 * resultId(plan); // 2
 * ```
 */
export function resultId(record: StepRecord): number {
  return isPlan(record) ? (record.targetStep as number) : record.stepId;
}

/**
 * True for the plan to run a step, false for its result.
 *
 * @example
 * ```ts
 * const steps = records.filter((record) => !isPlan(record));
 * ```
 */
export function isPlan(record: StepRecord): boolean {
  return record.stepId === 0;
}

/**
 * Returns the key that identifies a record within its run: two records with the same key are the same.
 *
 * @example
 * ```ts
 * recordKey({ stepId: 3, stepName: "charge", stepType: "Run", concurrent: 1 }); // "result:3"
 * ```
 */
export function recordKey(record: StepRecord): string {
  return keyOf(isPlan(record) ? "plan" : "result", resultId(record));
}

/**
 * Parses a step record.
 *
 * @param upgrade converts an older record to the current form
 * @throws WorkflowError `malformed_body` when the string isn't a step record
 * @example
 * ```ts
 * const { stepName, out } = parseStep(body);
 * ```
 */
export function parseStep(json: string, upgrade: (value: unknown) => unknown = (value) => value): StepRecord {
  return toStep(upgrade(parseJson(SUBJECT, json)), json);
}

const SUBJECT = "A step record";

/**
 * Checks a parsed step record.
 *
 * @param json the record as a string, for the error
 * @throws WorkflowError `malformed_body` when the value isn't a step record
 * @example
 * ```ts
 * const { stepName } = toStep(JSON.parse(body), body);
 * ```
 */
export function toStep(value: unknown, json: string): StepRecord {
  if (!isRecord(value)) throw malformed(SUBJECT, "lacks its required fields", json);
  const { out = "", targetStep, failure } = value;
  const valid = {
    targetStep: !isPlan(value) || isPositive(targetStep),
    out: typeof out === "string",
    failure: failure === undefined || isStepFailure(failure),
  };
  for (const [name, isValid] of Object.entries(valid))
    if (!isValid) throw malformed(SUBJECT, `has an invalid ${name}`, json);
  return value;
}

function isStepFailure(value: unknown): value is NonNullable<StepRecord["failure"]> {
  const { attempts, error } = Object(value) as Record<string, unknown>;
  return isPositive(attempts) && asErrorBody(error) !== undefined;
}

function isRecord(value: unknown): value is StepRecord {
  const { stepId, concurrent } = Object(value) as Record<keyof StepRecord, unknown>;
  return (
    (stepId === 0 || isPositive(stepId)) &&
    hasStrings(value, ["stepName", "stepType"]) &&
    isPositive(concurrent)
  );
}

/** More steps than any run has. Without a limit, one malicious record could claim more steps than fit in memory. */
const MAX_STEPS = 100_000;

/** True for a whole number from 1 on, within the limit of steps. */
export function isPositive(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= MAX_STEPS;
}
