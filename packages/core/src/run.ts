import type { Group, Slot } from "./group.ts";
import { type Ending, type Entry, type Invocation, nestedStep, plan, replayMismatch } from "./invocation.ts";
import type { WorkflowError } from "./kernel/errors.ts";
import { createScope, type Scope } from "./kernel/scope.ts";
import type { FailedStep } from "./protocol/outcome.ts";
import type { StepRecord } from "./protocol/step.ts";
import { read, type Step } from "./steps/index.ts";

/** Turns of the microtask queue without a new request after which a group counts as complete. */
const QUIET_TURNS = 20;
const PATIENCE_MS = 2000;
const platformScope = createScope();

/** Replays what is recorded, carries out the one thing that comes next, and tells how it ended. */
export function replay(invocation: Invocation): Promise<Ending> {
  return new Promise((end) => new Run(invocation, end).start());
}

interface Asked {
  readonly step: Step;
  readonly resolve: (result: unknown) => void;
}

/**
 * One invocation. Recorded steps are found by name and kind, not by place: which of several branches asks first
 * may change from one invocation to the next, when they wait for something of their own. A step that isn't on record is new,
 * and is carried out once every recorded one has been asked for. Everything else about a new step waits for a later delivery,
 * by a promise that never settles: nothing is ever thrown through the workflow to stop it.
 */
class Run {
  readonly #invocation: Invocation;
  readonly #scope: Scope;
  readonly #end: (ending: Ending) => void;
  readonly #unclaimed: Set<Slot>;
  readonly #claims = new Map<Slot, Asked>();
  readonly #fresh: Asked[] = [];
  /** The step whose work is being done. */
  #executing: Step | undefined;
  /** What this invocation does is decided: whatever else is asked for waits for a later one. */
  #decided = false;
  #ended = false;
  #requests = 0;
  /** Groups whose members are being resolved. */
  #settling = 0;
  #watching = false;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(invocation: Invocation, end: (ending: Ending) => void) {
    this.#invocation = invocation;
    this.#scope = invocation.scope ?? platformScope;
    this.#end = end;
    this.#unclaimed = new Set(invocation.ledger.slots);
  }

  async start(): Promise<void> {
    try {
      const result = await this.#invocation.start({
        request: (step) => this.#request(step),
        cancel: () => this.#cancel(),
      });
      // Steps that nobody awaits are carried out all the same; then the workflow returns again.
      if (this.#fresh.length > 0 || this.#awaitsMember()) this.#watch();
      else if (!this.#decided) this.#finish({ kind: "returned", result });
    } catch (error) {
      // A step that has begun is seen through, so that its work isn't done twice: the error comes again after it.
      if (!this.#decided) this.#finish({ kind: "threw", error });
    }
  }

  #request<Result>(step: Step<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return;
      this.#requests++;
      if (this.#decided) return this.#requestLate(step, reject);
      const asked: Asked = { step, resolve: resolve as (result: unknown) => void };
      const slot = this.#find(step);
      if (slot) this.#claim(slot, asked);
      else this.#fresh.push(asked);
      this.#watch();
    });
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
    if (this.#scope.current() === this) this.#finish({ kind: "threw", error, step: this.#describe(outer) });
    // Where they can't be told apart, a sibling that is started late is refused like a nested step. The next delivery asks for it again.
    else if (!this.#scope.available) reject(error);
  }

  #find(step: Step): Slot | undefined {
    for (const slot of this.#unclaimed) if (slot.name === step.name && slot.type === step.type) return slot;
    return undefined;
  }

  #claim(slot: Slot, asked: Asked): void {
    this.#unclaimed.delete(slot);
    this.#claims.set(slot, asked);
    const { phase } = this.#invocation.ledger;
    if (phase.kind === "member" && phase.slot === slot)
      void this.#execute(asked.step, slot.id, slot.group.size);
    else if (slot.group.finished.length === slot.group.size) void this.#settle(slot.group);
  }

  // Once all members were asked for, as they were the first time; in the order in which they were recorded, with time
  // between them for what waits for each, so that a race has the same winner in every invocation.
  async #settle(group: Group): Promise<void> {
    if (!group.finished.every((slot) => this.#claims.has(slot))) return;
    this.#settling++;
    for (const slot of group.finished) {
      if (group.size > 1) await quiet();
      this.#resolve(slot);
    }
    this.#settling--;
    void this.#watch();
  }

  #resolve(slot: Slot): void {
    const asked = this.#claims.get(slot) as Asked;
    try {
      asked.resolve(read(slot.result as StepRecord));
    } catch (error) {
      this.#finish({ kind: "threw", error });
    }
  }

  /** Waits until no more requests come in by themselves, then decides. */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    let seen: number;
    do {
      seen = this.#requests;
      await quiet();
    } while (seen !== this.#requests);
    this.#watching = false;
    if (!this.#ended && !this.#decided && this.#settling === 0) this.#decide();
  }

  #decide(): void {
    const waiting = this.#fresh.length > 0 || this.#awaitsMember() || this.#isGroupOpen();
    if (!waiting) return;
    if (this.#unclaimed.size > 0) {
      // A branch may be waiting for something of its own before it asks. If not, the code has changed.
      this.#patience ??= setTimeout(
        () => this.#finish(this.#mismatch()),
        this.#invocation.patience ?? PATIENCE_MS,
      );
      return;
    }
    const [first, ...others] = this.#fresh;
    if (!first) return;
    const { nextId } = this.#invocation.ledger;
    if (others.length === 0) void this.#execute(first.step, nextId, 1);
    else void this.#append(this.#fresh.map(({ step }, at) => plan(step, nextId + at, this.#fresh.length)));
  }

  #awaitsMember(): boolean {
    const { phase } = this.#invocation.ledger;
    return phase.kind === "member" && !this.#claims.has(phase.slot);
  }

  #isGroupOpen(): boolean {
    for (const slot of this.#unclaimed)
      if (slot.group.finished.some((one) => this.#claims.has(one))) return true;
    return false;
  }

  async #execute(step: Step, id: number, concurrent: number): Promise<void> {
    this.#decided = true;
    await this.#invocation.beforeStep?.(step);
    if (this.#ended) return;
    if (step.work.kind === "ask") {
      return this.#append([{ kind: "work", name: step.name, ask: step.work.ask, id, concurrent }]);
    }
    this.#executing = step;
    let out: string | undefined;
    try {
      out = await this.#perform(step);
    } catch (error) {
      return this.#finish({ kind: "threw", error, step: this.#describe(step) });
    }
    this.#executing = undefined;
    // A nested step has failed this attempt, or the run was canceled: what follows belongs to none.
    if (this.#ended) return;
    const record: StepRecord = {
      stepId: id,
      stepName: step.name,
      stepType: step.type,
      ...(out === undefined ? {} : { out }),
      ...step.fields,
      concurrent,
    };
    // A member's plan has waited already.
    await this.#append([{ kind: "record", record, schedule: concurrent === 1 ? step.schedule : undefined }]);
  }

  #perform(step: Step): Promise<string | undefined> {
    const { engine, runId } = this.#invocation;
    return this.#scope.run(this, async () =>
      step.work.kind === "perform" ? step.work.perform(engine, runId) : undefined,
    );
  }

  async #append(entries: readonly Entry[]): Promise<void> {
    this.#decided = true;
    try {
      this.#finish({ kind: await this.#invocation.append(entries) });
    } catch (error) {
      this.#finish({ kind: "threw", error });
    }
  }

  #describe(step: Step): FailedStep {
    const { phase, nextId } = this.#invocation.ledger;
    return { id: phase.kind === "member" ? phase.slot.id : nextId, name: step.name, type: step.type };
  }

  #mismatch(): Ending {
    const error = replayMismatch(
      this.#unclaimed,
      this.#fresh.map(({ step }) => step),
    );
    return { kind: "threw", error };
  }

  #finish(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#patience);
    this.#end(ending);
  }
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < QUIET_TURNS; turn++) await undefined;
}
