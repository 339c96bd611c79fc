import type { StepHost } from "../context.ts";
import type { Engine } from "../engine-client/engine.ts";
import type { ErrorBody, FailedStep } from "../protocol/error.ts";
import type { FailedAttempt } from "../protocol/outcome.ts";
import type { StepRecord } from "../protocol/step.ts";
import type { AttemptInfo, EngineRequest, Schedule, Step, StepPlacement } from "../steps/index.ts";
import { messageOf, WorkflowError } from "../util/errors.ts";
import type { Scope } from "../util/scope.ts";
import type { StepEntry, StepHistory } from "./step-history.ts";
import type { PendingStep } from "./step-matcher.ts";

/** What the engine is to be asked for. */
export type NewEntry =
  /** To append a record to the run. */
  | { readonly kind: "record"; readonly record: StepRecord; readonly schedule: Schedule | undefined }
  /** To do a step's work, and to append what comes of it. */
  | {
      readonly kind: "work";
      readonly name: string;
      readonly ask: (place: StepPlacement) => EngineRequest;
      readonly id: number;
      readonly concurrent: number;
      readonly rollback: true | undefined;
    };

/** How one invocation of a workflow came to its end. */
export type ReplayResult =
  /** What comes next is on record: another delivery goes on. */
  | { readonly kind: "recorded" }
  /** The run is over, by somebody else's hand. */
  | { readonly kind: "over" }
  /** The workflow asked for the end of its run. */
  | { readonly kind: "canceled" }
  | { readonly kind: "returned"; readonly result: unknown }
  | ({ readonly kind: "threw" } & FailedAttempt);

/** How the workflow itself has come to its end. */
export type WorkflowOutcome = Extract<ReplayResult, { kind: "returned" | "threw" }>;

/** How long, in milliseconds, recorded steps may go unasked for while new ones wait, or once the workflow has ended. */
export const REPLAY_MISMATCH_TIMEOUT_MS = 2000;

export interface Invocation {
  readonly history: StepHistory;
  readonly runId: string;
  readonly engine: () => Engine;
  /** Calls the workflow. */
  readonly start: (host: StepHost) => unknown;
  /** Asks the engine, for all or nothing. */
  readonly append: (entries: readonly NewEntry[]) => Promise<"recorded" | "over">;
  /** Told before a step's work begins, or is asked for. */
  readonly beforeStep?: (step: Step) => Promise<void>;
  /** How often this delivery was tried. */
  readonly attempt: AttemptInfo;
  /** For steps that say nothing else. */
  readonly onExhausted?: "throw" | "fail" | undefined;
  /** Whether the engine may see where in the code an error happened. */
  readonly trusted: boolean;
  /** {@link REPLAY_MISMATCH_TIMEOUT_MS} by default. */
  readonly mismatchTimeoutMs?: number;
  readonly scope?: Scope;
}

/** The record that has a member of a group run by a delivery of its own. */
export function plan(step: Step, targetStep: number, concurrent: number): NewEntry {
  const { schedule } = step;
  return { kind: "record", record: { stepId: 0, ...recordOf(step), concurrent, targetStep }, schedule };
}

/** A step's record, but for its place and what it came to. */
export function recordOf(step: Step): Omit<StepRecord, "stepId" | "concurrent"> {
  const { name: stepName, type: stepType, fields, options } = step;
  return { stepName, stepType, ...fields, rollback: options?.rollback && true };
}

/** Why a step that is started inside of another one is refused. */
export function nestedStep(inner: Step, outer: FailedStep): WorkflowError {
  return new WorkflowError(
    "nested_step",
    `Step "${inner.name}" was started inside step "${outer.name}". Start it before, after, or beside it with Promise.all.`,
  );
}

/** How far a run had come when something beside its steps threw. */
export function failurePlace(history: StepHistory): ErrorBody["where"] {
  return history.entries.length > 0 ? "after-last-step" : "before-first-step";
}

/** Why a workflow that doesn't ask for all recorded steps is refused. @param outcome how the workflow has ended, if it has */
export function replayMismatch(
  missing: readonly StepEntry[],
  newSteps: readonly PendingStep[],
  outcome: WorkflowOutcome | undefined,
): WorkflowError {
  const recorded = missing.map(({ id, name, type }) => `${id} "${name}" (${type})`);
  const pending = newSteps.map(({ step: { name, type } }) => `"${name}" (${type})`);
  const thrown = outcome?.kind === "threw" ? { cause: outcome.error } : undefined;
  const how = thrown ? `thrown an error (${messageOf(thrown.cause)})` : "returned";
  const ended = outcome ? `The workflow has ${how} without them. ` : "";
  const message =
    `The workflow no longer fits what this run has recorded. Recorded and not asked for: ${recorded.join(", ")}. ` +
    `Asked for and not recorded: ${pending.join(", ") || "nothing"}. ${ended}` +
    "Deploy code with the recorded steps, or restart the run. Put into a step what differs each time: Date.now, Math.random, a query.";
  return new WorkflowError("replay_mismatch", message, thrown);
}

/** What to say when steps are on record behind a group that hasn't finished. */
export function unfinishedGroup({ id, name, group: { size, finished } }: StepEntry): WorkflowError {
  return new WorkflowError(
    "replay_mismatch",
    `The run's history goes on behind the group of step ${id} "${name}", of which ${finished.length} of ${size} steps are finished.`,
  );
}
