import { hasStrings } from "../util/check.ts";
import { asErrorBody, type ErrorBody } from "./error.ts";
import { malformed, parseJson } from "./parse.ts";

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
  /** The result as JSON text; absent for `undefined`. */
  readonly out?: string | undefined;
  /** Seconds, or a duration text. */
  readonly sleepFor?: number | string;
  /** Unix time in seconds. */
  readonly sleepUntil?: number;
  readonly waitEventId?: string;
  readonly timeout?: string;
  readonly waitTimeout?: boolean;
  /** The step has failed for good, and the workflow is to hear of it. There is no `out` then. */
  readonly failure?: { readonly attempts: number; readonly error: ErrorBody };
  /** The step has a rollback. */
  readonly rollback?: true | undefined;
  /** When the work of the recorded attempt began, in milliseconds since 1970. Only of steps that ran inline. */
  readonly startedAt?: number;
  /** How long it took, in milliseconds. */
  readonly durationMs?: number;
}

/** The step that a record is of, as user code knows it. */
export function stepOf({ stepId, stepName, stepType }: StepOf): { id: number; name: string; type: StepType } {
  return { id: stepId, name: stepName, type: stepType };
}

type StepOf = Pick<StepRecord, "stepId" | "stepName" | "stepType">;

/** A record that has its place in the run: the id of the result, also for a plan. */
export function resultId(record: StepRecord): number {
  return isPlan(record) ? (record.targetStep as number) : record.stepId;
}

/** True for the plan to run a step, false for its result. */
export function isPlan(record: StepRecord): boolean {
  return record.stepId === 0;
}

/** What no two records of a run may share. */
export function recordKey(record: StepRecord): string {
  return `${isPlan(record) ? "plan" : "result"}:${resultId(record)}`;
}

/**
 * @param upgrade makes today's record of an older one
 * @throws WorkflowError `malformed_body` when the string isn't a step record
 */
export function parseStep(json: string, upgrade: (value: unknown) => unknown = (value) => value): StepRecord {
  const what = "A step record";
  const value = upgrade(parseJson(what, json));
  if (!isRecord(value)) throw malformed(what, "isn't one", json);
  const { out = "", targetStep, failure } = value;
  const valid = {
    targetStep: !isPlan(value) || isPositive(targetStep),
    out: typeof out === "string",
    failure: failure === undefined || isStepFailure(failure),
  };
  for (const [name, isValid] of Object.entries(valid))
    if (!isValid) throw malformed(what, `has a wrong ${name}`, json);
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

/** More than any run has. Without a limit, a single record could say that there are more steps than memory holds. */
const MAX_STEPS = 100_000;

/** True for a whole number from 1 on, as steps are counted. */
export function isPositive(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= MAX_STEPS;
}
