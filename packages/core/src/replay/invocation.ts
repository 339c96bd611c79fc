import type { StepHost } from "../context.ts";
import type { Engine } from "../engine-client/engine.ts";
import type { ErrorBody, FailedStep } from "../protocol/error.ts";
import type { FailedAttempt, RetryDecision } from "../protocol/outcome.ts";
import type { StepRecord } from "../protocol/step.ts";
import {
  type AttemptInfo,
  decideRetry,
  decideRetryWithinLimit,
  type EngineRequest,
  type Schedule,
  type Step,
  type StepPlacement,
} from "../steps/index.ts";
import { isRetryAfter, messageOf, WorkflowError } from "../util/errors.ts";
import { createScope, type Scope } from "../util/scope.ts";
import { testHost } from "../util/test-host.ts";
import type { StepEntry, StepHistory } from "./step-history.ts";
import type { PendingStep } from "./step-matcher.ts";

/** One request to the engine. */
export type NewEntry =
  /** To append a record to the run. */
  | { readonly kind: "record"; readonly record: StepRecord; readonly schedule: Schedule | undefined }
  /** To do a step's work, and to append its outcome. */
  | {
      readonly kind: "work";
      readonly name: string;
      readonly toEngineRequest: (place: StepPlacement) => EngineRequest;
      readonly id: number;
      readonly concurrent: number;
      readonly rollback: true | undefined;
    };

/** The result of one invocation of a workflow. */
export type ReplayResult =
  /** The next step is recorded: another delivery continues the run. */
  | { readonly kind: "recorded" }
  /** The run ended in the meantime: it was cancelled, or failed. */
  | { readonly kind: "over" }
  /** The workflow cancelled its run. */
  | { readonly kind: "canceled" }
  | { readonly kind: "returned"; readonly result: unknown }
  | ({ readonly kind: "threw" } & FailedAttempt);

/** The workflow function returned or threw. */
export type WorkflowOutcome = Extract<ReplayResult, { kind: "returned" | "threw" }>;

/**
 * Milliseconds that recorded steps may stay unrequested while new ones wait, or once the workflow has ended.
 */
const REPLAY_MISMATCH_TIMEOUT_MS = 2000;

/** Returns {@link REPLAY_MISMATCH_TIMEOUT_MS}, or the test's own time. */
export function mismatchTimeoutMs(): number {
  return testHost()?.mismatchTimeoutMs ?? REPLAY_MISMATCH_TIMEOUT_MS;
}

/** One execution of a workflow, caused by one delivery. */
export interface Invocation {
  readonly history: StepHistory;
  readonly runId: string;
  /** The id from which the steps' idempotency keys are derived. */
  readonly originalRunId: string;
  readonly engine: () => Engine;
  /** Calls the workflow. */
  readonly start: (host: StepHost) => unknown;
  /** Called before a step's work begins, here or in the engine. */
  readonly beforeStep?: ((step: Step) => Promise<void>) | undefined;
  /** Runs a step's work inside of the endpoint's middlewares. Default: directly. */
  readonly aroundStep?: (
    step: Step,
    attempt: number,
    work: () => Promise<string | undefined>,
  ) => Promise<string | undefined>;
  /** The attempts of this delivery so far. */
  readonly attempt: AttemptInfo;
  /** Default for steps without the option. */
  readonly onExhausted?: "throw" | "fail" | undefined;
  /** True if recorded errors contain their stacks. */
  readonly withStack: boolean;
  readonly scope?: Scope;
  /** Aborted when the delivery's connection is closed. */
  readonly signal?: AbortSignal | undefined;
}

/** An invocation that carries out one step. */
export interface SingleStepInvocation extends Invocation {
  /** Sends the entries to the engine, which takes all of them or none. */
  readonly append: (entries: readonly NewEntry[]) => Promise<"recorded" | "over">;
}

/** The scope of steps' work, for all invocations of the process. */
export const platformScope: Scope = createScope();

/** Creates the record that makes the engine deliver a member of a group separately. */
export function plan(step: Step, targetStep: number, concurrent: number): NewEntry {
  const { schedule } = step;
  return { kind: "record", record: { stepId: 0, ...recordOf(step), concurrent, targetStep }, schedule };
}

/** A step's record without its position and its result. */
export function recordOf(step: Step): Omit<StepRecord, "stepId" | "concurrent"> {
  const { name: stepName, type: stepType, fields, options } = step;
  return { stepName, stepType, ...fields, rollback: options?.rollback && true };
}

/** The error for a step that is started inside another step. */
export function nestedStep(inner: Step, outer: FailedStep): WorkflowError {
  return new WorkflowError(
    "nested_step",
    `Step "${inner.name}" was started inside step "${outer.name}". Start it outside of it.`,
  );
}

/** The place of an error that no step threw. */
export function failurePlace(history: StepHistory): ErrorBody["where"] {
  return history.entries.length > 0 ? "after-last-step" : "before-first-step";
}

/**
 * The outcome of an invocation whose workflow doesn't request all recorded steps. Its retry has the delay that the workflow's own
 * error sets.
 *
 * @param outcome the end of the workflow, if it has ended
 */
export function mismatched(
  missing: readonly StepEntry[],
  newSteps: ReadonlySet<PendingStep>,
  outcome: WorkflowOutcome | undefined,
  attempt: AttemptInfo,
): Extract<ReplayResult, { kind: "threw" }> {
  const recorded = missing.map(({ id, name, type }) => `${id} "${name}" (${type})`);
  const pending = [...newSteps].map(({ step: { name, type } }) => `"${name}" (${type})`);
  const thrown = outcome?.kind === "threw" ? { cause: outcome.error } : undefined;
  const how = thrown ? `thrown an error (${messageOf(thrown.cause)})` : "returned";
  const ended = outcome ? `The workflow has ${how} without them. ` : "";
  const message =
    `The workflow doesn't fit the run's history. Recorded, not requested: ${recorded.join(", ")}. ` +
    `Requested, not recorded: ${pending.join(", ") || "none"}. ${ended}` +
    "Deploy code with the recorded steps, or restart the run. Put Date.now, Math.random and queries into steps.";
  const error = new WorkflowError("replay_mismatch", message, thrown);
  const policy = isRetryAfter(thrown?.cause) ? { retryDelay: thrown?.cause.retryAfter } : {};
  return { kind: "threw", error, where: "replay", retry: decideRetry(error, attempt, policy) };
}

/** Returns true if the workflow can catch the step's failure. */
export function isCatchable({ options }: Step, { onExhausted }: Pick<Invocation, "onExhausted">): boolean {
  return (options?.onExhausted ?? onExhausted) === "throw";
}

/** Decides whether, and when, to retry the step. @throws the error of the user's own `retryDelay` */
export function decideStepRetry(
  { options = {} }: Step,
  error: unknown,
  attempt: AttemptInfo,
  catchable: boolean,
): RetryDecision {
  const policy = options.atMostOnce ? { ...options, retries: 0 } : options;
  return (catchable ? decideRetryWithinLimit : decideRetry)(error, attempt, policy);
}

/** The error for records that follow an unfinished group. */
export function unfinishedGroup({ id, name, group: { size, finished } }: StepEntry): WorkflowError {
  return new WorkflowError(
    "replay_mismatch",
    `The run's history continues after the group of step ${id} "${name}", which has finished ${finished.length} of ${size} steps.`,
  );
}
