import { type Asked, Claims } from "./claims.ts";
import { placeOfSlot, type Slot } from "./group.ts";
import {
  type Ending,
  type Entry,
  type Invocation,
  nestedStep,
  type Outcome,
  PATIENCE_MS,
  placeIn,
  plan,
  recordOf,
  replayMismatch,
  unfinishedGroup,
} from "./invocation.ts";
import { isRetryAfter, type WorkflowError } from "./kernel/errors.ts";
import { blindScope, createScope, type Scope } from "./kernel/scope.ts";
import { type FailedStep, toErrorBody } from "./protocol/error.ts";
import type { StepRecord } from "./protocol/step.ts";
import { again, againUntil, type Step } from "./steps/index.ts";

const platformScope = createScope();

/** Replays what is recorded, carries out the one thing that comes next, and tells how it ended. */
export function replay(invocation: Invocation): Promise<Ending> {
  return new Promise((end) => new Run(invocation, end).start());
}

/**
 * One invocation. A step that isn't on record is new, and is carried out once every recorded one has been asked for.
 * Everything else about a new step waits for a later delivery, by a promise that never settles: nothing is ever thrown
 * through the workflow to stop it.
 */
class Run {
  readonly #invocation: Invocation;
  readonly #scope: Scope;
  readonly #end: (ending: Ending) => void;
  readonly #claims: Claims;
  /** The step whose work is being done. */
  #executing: FailedStep | undefined;
  /** What this invocation does is decided: whatever else is asked for waits for a later one. */
  #decided = false;
  /** How the workflow has come to its end, while steps are still to be asked for or carried out. */
  #outcome: Outcome | undefined;
  #ended = false;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(invocation: Invocation, end: (ending: Ending) => void) {
    this.#invocation = invocation;
    this.#scope = invocation.scope ?? platformScope;
    this.#end = end;
    this.#claims = new Claims(invocation.ledger.slots, {
      quiet: () => {
        if (!this.#ended && !this.#decided) this.#decide();
      },
      unreadable: (error, slot) => this.#finish({ kind: "threw", error, step: placeOfSlot(slot) }),
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
      this.#conclude({ kind: "threw", error, where: placeIn(this.#invocation.ledger) });
    }
  }

  #conclude(outcome: Outcome): void {
    // A step that has begun is seen through, so that its work isn't done twice: the workflow ends again after it.
    if (this.#decided) return;
    this.#outcome = outcome;
    if (this.#isComplete(outcome)) this.#finish(outcome);
    else void this.#claims.watch();
  }

  /** The workflow has asked for every recorded step, and no step that it left without awaiting it is to be carried out. */
  #isComplete({ kind }: Outcome): boolean {
    const { fresh, missing } = this.#claims;
    return missing.length === 0 && (kind === "threw" || fresh.length === 0);
  }

  #request<Result>(step: Step<Result>): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => {
      if (this.#ended) return;
      if (this.#decided) return this.#requestLate(step, reject);
      const slot = this.#claims.take({ step, resolve: resolve as Asked["resolve"], reject });
      const { phase } = this.#invocation.ledger;
      const member = phase.kind === "member" ? phase.slot : undefined;
      if (slot && member === slot) void this.#execute(step, slot.id, slot.group.size);
      // Only a delivered member can complete its group: whoever waited for another one would wait for ever.
      else if (slot && slot.group !== member?.group && slot.group.finished.length < slot.group.size)
        this.#finish({ kind: "threw", error: unfinishedGroup(slot), where: "replay" });
      void this.#claims.watch();
    });
    // One that nobody awaits must not end the process when it is on record as failed.
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

  #decide(): void {
    const { fresh, groupIsOpen } = this.#claims;
    const outcome = this.#outcome;
    clearTimeout(this.#patience);
    if (outcome && this.#isComplete(outcome)) this.#finish(outcome);
    // A workflow that has thrown begins nothing new.
    else if (outcome) this.#goOn(outcome.kind === "threw" ? [] : fresh);
    else if (fresh.length > 0 || this.#awaitsMember() || groupIsOpen) this.#goOn(fresh);
  }

  #goOn(asked: readonly Asked[]): void {
    const { missing } = this.#claims;
    const [hole] = this.#invocation.ledger.holes;
    // What was rolled back is asked for as if it were new, and takes its old place.
    if (asked[0] && hole !== undefined) void this.#execute(asked[0].step, hole, 1);
    else if (missing.length === 0) this.#begin(asked);
    // A branch may be waiting for something of its own before it asks. If not, the code has changed.
    else this.#patience = setTimeout(() => this.#refuse(missing), this.#invocation.patience ?? PATIENCE_MS);
  }

  #begin([first, ...others]: readonly Asked[]): void {
    if (!first) return;
    const { nextId } = this.#invocation.ledger;
    const size = others.length + 1;
    if (size === 1) void this.#execute(first.step, nextId, 1);
    else void this.#append([first, ...others].map(({ step }, at) => plan(step, nextId + at, size)));
  }

  #refuse(missing: readonly Slot[]): void {
    const thrown = this.#outcome?.kind === "threw" ? this.#outcome.error : undefined;
    const error = replayMismatch(missing, this.#claims.fresh, this.#outcome);
    const wait = isRetryAfter(thrown) ? { retryDelay: thrown.retryAfter } : {};
    this.#finish({
      kind: "threw",
      error,
      where: "replay",
      again: again(error, this.#invocation.tries, wait),
    });
  }

  #awaitsMember(): boolean {
    const { phase } = this.#invocation.ledger;
    return phase.kind === "member" && !this.#claims.claimed.has(phase.slot);
  }

  #commit(): void {
    this.#decided = true;
    clearTimeout(this.#patience);
  }

  async #execute(step: Step, id: number, concurrent: number): Promise<void> {
    this.#commit();
    await this.#invocation.beforeStep?.(step);
    if (this.#ended) return;
    const { name, type, ask, schedule, options } = step;
    const rollback = options?.rollback && true;
    const place: FailedStep = { id, name, type, rollback };
    if (ask) return this.#append([{ kind: "work", name, ask, id, concurrent, rollback }], place);
    this.#executing = place;
    const came = await this.#perform(step)
      .then(
        (out) => ({ out }),
        (error) => this.#failed(step, place, error),
      )
      // The user's own `retryDelay` has thrown.
      .catch((error) => this.#finish({ kind: "threw", error, step: place }));
    this.#executing = undefined;
    // It is to be tried again, a nested step has failed this attempt, or the run was canceled: what follows belongs to none.
    if (!came || this.#ended) return;
    const record = { stepId: id, ...recordOf(step), ...came, concurrent };
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

  /** @returns what is recorded of a step that has failed for good, where the workflow is to hear of it */
  #failed({ options = {} }: Step, step: FailedStep, error: unknown): Pick<StepRecord, "failure"> | undefined {
    const { tries, trusted, onExhausted } = this.#invocation;
    const catchable = (options.onExhausted ?? onExhausted) === "throw";
    const retry = (catchable ? againUntil : again)(error, tries, options);
    if (catchable && retry.over)
      return { failure: { attempts: tries.retried + 1, error: toErrorBody(error, trusted) } };
    this.#finish({ kind: "threw", error, step, again: retry });
    return undefined;
  }

  async #append(entries: readonly Entry[], step?: FailedStep): Promise<void> {
    this.#commit();
    try {
      this.#finish({ kind: await this.#invocation.append(entries) });
    } catch (error) {
      this.#finish({ kind: "threw", error, step, where: placeIn(this.#invocation.ledger) });
    }
  }

  #finish(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#patience);
    this.#end(ending);
  }
}
