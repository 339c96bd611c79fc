import type { StepKey } from "../protocol/attempt.ts";
import { toError } from "../protocol/error.ts";
import type { StepRecord } from "../protocol/step.ts";
import { readResult, type Step } from "../steps/index.ts";
import { WorkflowStepError } from "../util/errors.ts";
import { type StepEntry, type StepHistory, toFailedStep } from "./step-history.ts";

/** Its reactions are turns. A turn of an async function takes twice the memory, and a run has many. */
const TURN = Promise.resolve();
/** Turns of the microtask queue without a new request after which the workflow counts as idle. */
const SETTLE_MICROTASKS = 20;

/** A step that the workflow requests, with the callbacks that settle its result. */
export interface StepRequest {
  readonly step: Step;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A requested step whose result the workflow awaits. */
export interface PendingStep extends StepRequest {
  readonly key: StepKey;
  /** The step's entry in the history, once the step is recorded. */
  entry: StepEntry | undefined;
}

interface Listener {
  /** Called when the workflow waits, and no recorded result can be delivered to it. */
  idle(): void;
  /** Called for a record that the runtime can't read. */
  unreadable(error: unknown, entry: StepEntry): void;
}

/**
 * Matches the steps that a workflow requests in one invocation with its run's records, and hands the results
 * over. It finds records by name, kind and number among these, and not by place: which of several branches
 * requests first may differ between invocations, when the branches wait for I/O of their own.
 *
 * It hands results over in the order of the history, each when the workflow has come to rest after the one
 * before: so a race has the same winner in every invocation. A result whose step isn't requested yet holds up
 * those behind it.
 */
export class StepMatcher {
  /** Steps that are recorded and not requested. */
  declare readonly unmatched: Set<StepEntry>;
  /** Steps that are recorded and requested. */
  readonly matched: Map<StepEntry, PendingStep> = new Map();
  /** Steps that are requested and not recorded. */
  readonly newSteps: Set<PendingStep> = new Set();
  readonly #recorded: Map<string, StepEntry>;
  readonly #listener: Listener;
  /** Recorded results that the workflow hasn't received yet. */
  readonly #results: Set<StepEntry>;
  /** The number of requested steps of each name and kind. */
  readonly #counts = new Map<string, number>();
  #requests = 0;
  #handedOver = 0;
  #watching = false;
  /** Turns since the last request or result. */
  #turns = 0;
  #stopped = false;

  constructor({ entries, results }: Pick<StepHistory, "entries" | "results">, listener: Listener) {
    this.unmatched = new Set(entries);
    this.#recorded = byKey(entries);
    this.#results = new Set(results);
    this.#listener = listener;
  }

  request(request: StepRequest): PendingStep {
    this.#requests++;
    this.#turns = 0;
    const { name, type } = request.step;
    const nth = countUp(this.#counts, `${type}/${name}`);
    const key = { name, type, nth };
    const pending: PendingStep = { ...request, key, entry: this.#recorded.get(keyText(key)) };
    if (pending.entry) {
      this.unmatched.delete(pending.entry);
      this.matched.set(pending.entry, pending);
    } else this.newSteps.add(pending);
    this.watch();
    return pending;
  }

  /** Recorded, not requested, and not {@link StepEntry.optional}. */
  get missing(): StepEntry[] {
    return [...this.unmatched].filter(({ optional }) => !optional);
  }

  /** The number of requested steps whose results the workflow hasn't received. */
  get pending(): number {
    return this.#requests - this.#handedOver;
  }

  /** True while requested results wait for the request of one in front of them. */
  get isHeldUp(): boolean {
    for (const entry of this.#results) if (this.matched.has(entry) && isComplete(entry)) return true;
    return false;
  }

  /** Returns true if the step is requested or recorded. */
  knows(key: StepKey): boolean {
    const requested = this.#counts.get(`${key.type}/${key.name}`) ?? 0;
    return requested >= key.nth || this.#recorded.has(keyText(key));
  }

  /** Adds a new step to the records. */
  record(pending: PendingStep, entry: StepEntry): void {
    this.newSteps.delete(pending);
    this.matched.set(entry, pending);
    pending.entry = entry;
  }

  /** Hands a step's result over, behind those that came before. */
  finish(entry: StepEntry, result: StepRecord): void {
    if (entry.result) return;
    entry.result = result;
    entry.group.finished.push(entry);
    this.#results.add(entry);
    // Without a watch, the workflow is at rest.
    if (!this.#watching) this.#watch(this.#takeNext());
  }

  /** Reports the next time that the workflow is idle. */
  watch(): void {
    if (!this.#watching) this.#watch();
  }

  /** Stops: the workflow receives no more results. */
  stop(): void {
    this.#stopped = true;
  }

  /** @param next a result to hand over at once */
  #watch(next?: StepEntry): void {
    this.#watching = true;
    this.#turns = 0;
    if (next) this.#handOver(next);
    void TURN.then(this.#turn);
  }

  readonly #turn = (): void => {
    const isAtRest = ++this.#turns === SETTLE_MICROTASKS;
    const next = isAtRest ? this.#takeNext() : undefined;
    if (next) this.#watch(next);
    else if (!isAtRest) void TURN.then(this.#turn);
    else {
      this.#watching = false;
      this.#listener.idle();
    }
  };

  #takeNext(): StepEntry | undefined {
    for (const entry of this.#stopped ? [] : this.#results) {
      if (this.#isRequested(entry)) {
        this.#results.delete(entry);
        return entry;
      }
      if (!entry.optional) return undefined;
    }
    return undefined;
  }

  // A group counts as requested once the workflow has requested all its members, as when they were planned.
  #isRequested(entry: StepEntry): boolean {
    return isComplete(entry) && entry.group.finished.every((member) => this.matched.has(member));
  }

  #handOver(entry: StepEntry): void {
    const pending = this.matched.get(entry) as PendingStep;
    const record = entry.result as StepRecord;
    this.#handedOver++;
    try {
      if (record.failure) pending.reject(toStepError(entry, record.failure));
      else pending.resolve(readResult(record));
    } catch (error) {
      this.#listener.unreadable(error, entry);
    }
  }
}

/** Returns true if all steps of the entry's group have results. */
export function isComplete({ group }: StepEntry): boolean {
  return group.finished.length === group.size;
}

// A step that wasn't recorded inline has no number: its id tells its place among its namesakes.
function byKey(entries: readonly StepEntry[]): Map<string, StepEntry> {
  const found = new Map<string, StepEntry>();
  for (const entry of entries) if (entry.nth) found.set(keyText({ ...entry, nth: entry.nth }), entry);
  const counts = new Map<string, number>();
  for (const entry of entries) {
    if (entry.nth) continue;
    const { name, type } = entry;
    let key: string;
    do key = keyText({ name, type, nth: countUp(counts, `${type}/${name}`) });
    while (found.has(key));
    found.set(key, entry);
  }
  return found;
}

function countUp(counts: Map<string, number>, name: string): number {
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  return count;
}

/** The key as a string. */
export function keyText({ type, nth, name }: StepKey): string {
  return `${type}/${nth}/${name}`;
}

/** Creates the error that the workflow catches for a step that is recorded as failed. */
export function toStepError(
  entry: Pick<StepEntry, "id" | "name" | "type">,
  { attempts, error }: NonNullable<StepRecord["failure"]>,
): WorkflowStepError {
  return new WorkflowStepError(toFailedStep(entry), attempts, toError(error));
}
