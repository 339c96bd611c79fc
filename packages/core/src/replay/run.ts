import { type FailedStep, toErrorBody } from "../protocol/error.ts";
import type { StepRecord } from "../protocol/step.ts";
import { decideRetry, decideRetryWithinLimit, type Step } from "../steps/index.ts";
import { isRetryAfter, type WorkflowError } from "../util/errors.ts";
import { blindScope, createScope, type Scope } from "../util/scope.ts";
import {
  failurePlace,
  type Invocation,
  type NewEntry,
  nestedStep,
  plan,
  REPLAY_MISMATCH_TIMEOUT_MS,
  type ReplayResult,
  recordOf,
  replayMismatch,
  unfinishedGroup,
  type WorkflowOutcome,
} from "./invocation.ts";
import { type StepEntry, toFailedStep } from "./step-history.ts";
import { type PendingStep, StepMatcher } from "./step-matcher.ts";

const platformScope = createScope();

/** Replays the recorded steps, carries out the next one, and returns the invocation's result. */
export function replay(invocation: Invocation): Promise<ReplayResult> {
  return new Promise((end) => new Run(invocation, end).start());
}

/**
 * One invocation. A step that isn't on record is new, and is carried out once the workflow has requested every recorded one.
 * Everything else about a new step waits for a later delivery, by a promise that never settles: nothing is ever thrown
 * through the workflow to stop it.
 */
class Run {
  readonly #invocation: Invocation;
  readonly #scope: Scope;
  readonly #end: (result: ReplayResult) => void;
  readonly #matcher: StepMatcher;
  /** The step whose work is being done. */
  #executing: FailedStep | undefined;
  /** True once this invocation has chosen its step: every other new step waits for a later delivery. */
  #decided = false;
  /** The workflow's outcome, while steps remain to be requested or carried out. */
  #outcome: WorkflowOutcome | undefined;
  #ended = false;
  #mismatchTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(invocation: Invocation, end: (result: ReplayResult) => void) {
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
    // A step that has begun runs to its end, so that its work isn't done twice; the next invocation ends the workflow.
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
      const { entry } = this.#matcher.request({ step, resolve: resolve as PendingStep["resolve"], reject });
      const { phase } = this.#invocation.history;
      const member = phase.kind === "member" ? phase.entry : undefined;
      if (entry && member === entry) void this.#execute(step, entry.id, entry.group.size);
      // Only a delivered member can complete its group: a workflow that waits for another one would wait forever.
      else if (entry && entry.group !== member?.group && entry.group.finished.length < entry.group.size)
        this.#finish({ kind: "threw", error: unfinishedGroup(entry), where: "replay" });
    });
    // A failed step that the workflow doesn't await must not end the process as an unhandled rejection.
    result.catch(() => {});
    return result;
  }

  // Ends the run also out of a step's work, whose result then belongs nowhere.
  #cancel(): Promise<never> {
    this.#finish({ kind: "canceled" });
    return new Promise(() => {});
  }

  #requestLate(step: Step, reject: (error: WorkflowError) => void): void {
    const outer = this.#executing;
    if (!outer) return;
    const error = nestedStep(step, outer);
    if (this.#scope.getStore() === this) this.#finish({ kind: "threw", error, step: outer });
    // Where they can't be told apart, a sibling that is started late is refused like a nested step. The next delivery asks for it again.
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
  }

  #carryOut(pending: readonly PendingStep[]): void {
    const { missing } = this.#matcher;
    const [rolledBackId] = this.#invocation.history.rolledBack;
    // A rolled-back step runs like a new one, under its old id.
    if (pending[0] && rolledBackId !== undefined) void this.#execute(pending[0].step, rolledBackId, 1);
    else if (missing.length === 0) this.#begin(pending);
    // A branch may be waiting for something of its own before it requests a step. If not, the code has changed.
    else
      this.#mismatchTimer = setTimeout(
        () => this.#refuse(missing),
        this.#invocation.mismatchTimeoutMs ?? REPLAY_MISMATCH_TIMEOUT_MS,
      );
  }

  #begin([first, ...others]: readonly PendingStep[]): void {
    if (!first) return;
    const { nextId } = this.#invocation.history;
    const size = others.length + 1;
    if (size === 1) void this.#execute(first.step, nextId, 1);
    else void this.#append([first, ...others].map(({ step }, at) => plan(step, nextId + at, size)));
  }

  #refuse(missing: readonly StepEntry[]): void {
    const thrown = this.#outcome?.kind === "threw" ? this.#outcome.error : undefined;
    const error = replayMismatch(missing, [...this.#matcher.newSteps], this.#outcome);
    const wait = isRetryAfter(thrown) ? { retryDelay: thrown.retryAfter } : {};
    this.#finish({
      kind: "threw",
      error,
      where: "replay",
      retry: decideRetry(error, this.#invocation.attempt, wait),
    });
  }

  #awaitsPlannedStep(): boolean {
    const { phase } = this.#invocation.history;
    return phase.kind === "member" && !this.#matcher.matched.has(phase.entry);
  }

  #commit(): void {
    this.#decided = true;
    clearTimeout(this.#mismatchTimer);
  }

  async #execute(step: Step, id: number, concurrent: number): Promise<void> {
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
    this.#executing = place;
    const outcome = await this.#perform(step)
      .then(
        (out) => ({ out }),
        (error) => this.#failed(step, place, error),
      )
      // The user's own `retryDelay` has thrown.
      .catch((error) => this.#finish({ kind: "threw", error, step: place }));
    this.#executing = undefined;
    // The engine will retry the step, a nested step has failed the attempt, or the run was cancelled: there is nothing to record.
    if (!outcome || this.#ended) return;
    const record = { stepId: id, ...recordOf(step), ...outcome, concurrent };
    // A member's plan has waited already.
    await this.#append(
      [{ kind: "record", record, schedule: concurrent === 1 ? schedule : undefined }],
      place,
    );
  }

  #perform({ perform }: Step): Promise<string | undefined> {
    const { engine, runId } = this.#invocation;
    return this.#scope.run(this, async () => perform?.(engine, runId));
  }

  /** @returns the failure to record, when the step's failure must reach the workflow */
  #failed({ options = {} }: Step, step: FailedStep, error: unknown): Pick<StepRecord, "failure"> | undefined {
    const { attempt, withStack, onExhausted } = this.#invocation;
    const catchable = (options.onExhausted ?? onExhausted) === "throw";
    const retry = (catchable ? decideRetryWithinLimit : decideRetry)(error, attempt, options);
    if (catchable && retry.exhausted)
      return { failure: { attempts: attempt.retried + 1, error: toErrorBody(error, withStack) } };
    this.#finish({ kind: "threw", error, step, retry });
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
