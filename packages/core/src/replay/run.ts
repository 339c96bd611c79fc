import { type FailedStep, toErrorBody } from "../protocol/error.ts";
import type { StepRecord } from "../protocol/step.ts";
import type { Step } from "../steps/index.ts";
import { WorkflowError } from "../util/errors.ts";
import { blindScope, type Scope } from "../util/scope.ts";
import {
  decideStepRetry,
  failurePlace,
  isCatchable,
  mismatched,
  mismatchTimeoutMs,
  type NewEntry,
  nestedStep,
  plan,
  platformScope,
  type ReplayResult,
  recordOf,
  type SingleStepInvocation,
  unfinishedGroup,
  type WorkflowOutcome,
} from "./invocation.ts";
import { performStep, StepExecution } from "./step-execution.ts";
import { toFailedStep } from "./step-history.ts";
import { isComplete, type PendingStep, StepMatcher } from "./step-matcher.ts";

/** Replays the recorded steps, carries out the next one, and returns the invocation's result. */
export function replay(invocation: SingleStepInvocation): Promise<ReplayResult> {
  return new Promise((end) => new Run(invocation, end).start());
}

/**
 * One invocation. A step without a record is new, and runs once the workflow has requested every recorded
 * one. Everything else about a new step waits for a later delivery, by a promise that never settles: nothing
 * is ever thrown through the workflow to stop it.
 */
class Run {
  readonly #invocation: SingleStepInvocation;
  readonly #scope: Scope;
  readonly #end: (result: ReplayResult) => void;
  readonly #matcher: StepMatcher;
  /** The step whose work is being done. */
  #executing: FailedStep | undefined;
  /** True once this invocation has chosen its step: every other new step waits for a later delivery. */
  #decided = false;
  /** The workflow's outcome, while steps remain to be requested or run. */
  #outcome: WorkflowOutcome | undefined;
  #ended = false;
  #mismatchTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(invocation: SingleStepInvocation, end: (result: ReplayResult) => void) {
    this.#invocation = invocation;
    this.#scope = invocation.scope ?? platformScope;
    this.#end = end;
    this.#matcher = new StepMatcher(invocation.history, {
      idle: () => {
        if (!this.#ended && !this.#decided) this.#onIdle();
      },
      unreadable: (error, entry) => this.#finish({ kind: "threw", error, step: toFailedStep(entry) }),
    });
  }

  async start(): Promise<void> {
    try {
      const result = await this.#invocation.start({
        request: (step) => this.#request(step),
        cancel: () => this.#cancel(),
      });
      this.#conclude({ kind: "returned", result });
    } catch (error) {
      this.#conclude({ kind: "threw", error, where: failurePlace(this.#invocation.history) });
    }
  }

  #conclude(outcome: WorkflowOutcome): void {
    // A started step runs to its end, so that its work isn't repeated; the next invocation ends the workflow.
    if (this.#decided) return;
    this.#outcome = outcome;
    this.#matcher.watch();
  }

  /** True when the workflow has requested every recorded step, and no step that it didn't await remains. */
  #isComplete({ kind }: WorkflowOutcome): boolean {
    const { newSteps, missing } = this.#matcher;
    return missing.length === 0 && (kind === "threw" || newSteps.size === 0);
  }

  #request<Result>(step: Step<Result>): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => {
      if (this.#ended) return;
      if (this.#decided) return this.#requestLate(step, reject);
      const pending = this.#matcher.request({ step, resolve: resolve as PendingStep["resolve"], reject });
      const { entry } = pending;
      const { phase } = this.#invocation.history;
      const member = phase.kind === "member" ? phase.entry : undefined;
      if (entry && member === entry) void this.#execute(pending, entry.id, entry.group.size);
      // Only the delivered member can complete its group: a workflow that waits for another group would wait
      // forever.
      else if (entry && entry.group.size > 1 && entry.group !== member?.group && !isComplete(entry))
        this.#finish({ kind: "threw", error: unfinishedGroup(entry), where: "replay" });
    });
    // A failed step that the workflow doesn't await must not end the process as an unhandled rejection.
    result.catch(() => {});
    return result;
  }

  // A workflow may also cancel its run within a step's work, whose result is then dropped.
  #cancel(): Promise<never> {
    this.#finish({ kind: "canceled" });
    return new Promise(() => {});
  }

  #requestLate(step: Step, reject: (error: WorkflowError) => void): void {
    const outer = this.#executing;
    if (!outer) return;
    const error = nestedStep(step, outer);
    if (this.#scope.getStore() === this) this.#finish({ kind: "threw", error, step: outer });
    // On a platform without scopes, a late sibling is refused like a nested step. The next delivery requests
    // it again.
    else if (this.#scope === blindScope) reject(error);
  }

  #onIdle(): void {
    const newSteps = [...this.#matcher.newSteps];
    const outcome = this.#outcome;
    clearTimeout(this.#mismatchTimer);
    if (outcome && this.#isComplete(outcome)) this.#finish(outcome);
    // A workflow that has thrown starts no new step.
    else if (outcome) this.#carryOut(outcome.kind === "threw" ? [] : newSteps);
    else if (newSteps.length > 0 || this.#awaitsPlannedStep() || this.#matcher.isHeldUp)
      this.#carryOut(newSteps);
    // The workflow awaits what the run has asked the engine for when it ran inline.
    else if (this.#matcher.pending > 0) this.#finish({ kind: "recorded" });
  }

  #carryOut(pending: readonly PendingStep[]): void {
    const { missing } = this.#matcher;
    const [rolledBackId] = this.#invocation.history.rolledBack;
    // A rolled-back step runs like a new one, under its old id.
    if (pending[0] && rolledBackId !== undefined) void this.#execute(pending[0], rolledBackId, 1);
    else if (missing.length === 0) this.#begin(pending);
    // A branch may wait for other work before it requests a step. If not, the code has changed.
    else {
      const finish = () =>
        this.#finish(mismatched(missing, this.#matcher.newSteps, this.#outcome, this.#invocation.attempt));
      this.#mismatchTimer = setTimeout(finish, mismatchTimeoutMs());
    }
  }

  #begin([first, ...others]: readonly PendingStep[]): void {
    if (!first) return;
    const { nextId } = this.#invocation.history;
    const size = others.length + 1;
    if (size === 1) void this.#execute(first, nextId, 1);
    else void this.#append([first, ...others].map(({ step }, at) => plan(step, nextId + at, size)));
  }

  #awaitsPlannedStep(): boolean {
    const { phase } = this.#invocation.history;
    return phase.kind === "member" && !this.#matcher.matched.has(phase.entry);
  }

  #commit(): void {
    this.#decided = true;
    clearTimeout(this.#mismatchTimer);
  }

  async #execute(pending: PendingStep, id: number, concurrent: number): Promise<void> {
    const { step } = pending;
    this.#commit();
    await this.#invocation.beforeStep?.(step);
    if (this.#ended) return;
    const { name, type, toEngineRequest, schedule, options } = step;
    const rollback = options?.rollback && true;
    const place: FailedStep = { id, name, type, rollback };
    if (toEngineRequest)
      return this.#append(
        [{ kind: "work", name, toEngineRequest: toEngineRequest, id, concurrent, rollback }],
        place,
      );
    if (options?.atMostOnce) return this.#finish({ kind: "threw", error: inlineRequired(step), step: place });
    this.#executing = place;
    const outcome = await this.#perform(pending)
      .then(
        (out) => ({ out }),
        (error) => this.#failed(step, place, error),
      )
      // The user's `retryDelay` function has thrown.
      .catch((error) => this.#finish({ kind: "threw", error, step: place }));
    this.#executing = undefined;
    // The engine will retry the step, a nested step has failed the attempt, or the run was cancelled: there
    // is nothing to record.
    if (!outcome || this.#ended) return;
    const record = { stepId: id, ...recordOf(step), ...outcome, concurrent };
    // For a member of a group, the engine has already applied the schedule to its plan.
    await this.#append(
      [{ kind: "record", record, schedule: concurrent === 1 ? schedule : undefined }],
      place,
    );
  }

  #perform(pending: PendingStep): Promise<string | undefined> {
    const { originalRunId, attempt, signal } = this.#invocation;
    const execution = new StepExecution(pending, this, attempt.retried + 1, originalRunId);
    signal?.addEventListener("abort", () => execution.abort());
    return this.#scope.run(this, () => performStep(this.#invocation, execution));
  }

  /** @returns the failure to record, when the step's failure must reach the workflow */
  #failed(step: Step, place: FailedStep, error: unknown): Pick<StepRecord, "failure"> | undefined {
    const { attempt, withStack } = this.#invocation;
    const catchable = isCatchable(step, this.#invocation);
    const retry = decideStepRetry(step, error, attempt, catchable);
    if (catchable && retry.exhausted)
      return { failure: { attempts: attempt.retried + 1, error: toErrorBody(error, withStack) } };
    this.#finish({ kind: "threw", error, step: place, retry });
    return undefined;
  }

  async #append(entries: readonly NewEntry[], step?: FailedStep): Promise<void> {
    this.#commit();
    try {
      this.#finish({ kind: await this.#invocation.append(entries) });
    } catch (error) {
      this.#finish({ kind: "threw", error, step, where: failurePlace(this.#invocation.history) });
    }
  }

  #finish(result: ReplayResult): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#mismatchTimer);
    this.#matcher.stop();
    this.#end(result);
  }
}

/**
 * The error for a step that can't be kept from running twice in this mode, where no record says that it has
 * begun.
 */
function inlineRequired({ name }: Step): WorkflowError {
  return new WorkflowError(
    "inline_required",
    `Step "${name}" has atMostOnce, which needs inline execution: Perdure's own engine, and no \`inline: false\` in the options of serve.`,
  );
}
