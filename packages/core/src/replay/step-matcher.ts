import { toError } from "../protocol/error.ts";
import type { StepRecord } from "../protocol/step.ts";
import { readResult, type Step } from "../steps/index.ts";
import { WorkflowStepError } from "../util/errors.ts";
import { type Group, type StepEntry, toFailedStep } from "./step-history.ts";

/** Turns of the microtask queue without a new request after which a group counts as complete. */
const SETTLE_MICROTASKS = 20;

/** A step that the workflow has asked for, and waits for. */
export interface PendingStep {
  readonly step: Step;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Listener {
  /** No more requests come in by themselves. */
  idle(): void;
  /** What is on record can't be read. */
  unreadable(error: unknown, entry: StepEntry): void;
}

/**
 * What a workflow asks for in one invocation, and the records that answer it. They are found by name and kind, not by place:
 * which of several branches asks first may change from one invocation to the next, when they wait for something of their own.
 */
export class StepMatcher {
  /** On record and not asked for. */
  readonly unmatched: Set<StepEntry>;
  /** On record and asked for. */
  readonly matched: Map<StepEntry, PendingStep> = new Map();
  /** Asked for and not on record. */
  readonly newSteps: PendingStep[] = [];
  readonly #listener: Listener;
  #requests = 0;
  /** Groups whose members are being resolved. */
  #resolvingGroups = 0;
  #watching = false;

  constructor(entries: Iterable<StepEntry>, listener: Listener) {
    this.unmatched = new Set(entries);
    this.#listener = listener;
  }

  /** @returns where the step is on record; undefined for a new one */
  match(pending: PendingStep): StepEntry | undefined {
    this.#requests++;
    const entry = this.#find(pending.step);
    if (!entry) {
      this.newSteps.push(pending);
      return undefined;
    }
    this.unmatched.delete(entry);
    this.matched.set(entry, pending);
    if (entry.group.finished.length === entry.group.size) void this.#resolveGroup(entry.group);
    return entry;
  }

  /** On record, not asked for, and not {@link StepEntry.optional}. */
  get missing(): StepEntry[] {
    return [...this.unmatched].filter(({ optional }) => !optional);
  }

  /** True while members of a group are asked for and others aren't yet. */
  get hasPartialGroup(): boolean {
    for (const entry of this.unmatched)
      if (entry.group.finished.some((one) => this.matched.has(one))) return true;
    return false;
  }

  /** Waits until no more requests come in by themselves, and tells. */
  async waitUntilIdle(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    let seen: number;
    do {
      seen = this.#requests;
      await settleMicrotasks();
    } while (seen !== this.#requests);
    this.#watching = false;
    if (this.#resolvingGroups === 0) this.#listener.idle();
  }

  #find(step: Step): StepEntry | undefined {
    for (const entry of this.unmatched)
      if (entry.name === step.name && entry.type === step.type) return entry;
    return undefined;
  }

  // Once all members were asked for, as they were the first time; in the order in which they were recorded, with time
  // between them for what waits for each, so that a race has the same winner in every invocation.
  async #resolveGroup(group: Group): Promise<void> {
    if (!group.finished.every((entry) => this.matched.has(entry))) return;
    this.#resolvingGroups++;
    for (const entry of group.finished) {
      if (group.size > 1) await settleMicrotasks();
      this.#resolve(entry);
    }
    this.#resolvingGroups--;
    void this.waitUntilIdle();
  }

  #resolve(entry: StepEntry): void {
    const pending = this.matched.get(entry) as PendingStep;
    const record = entry.result as StepRecord;
    try {
      if (record.failure) pending.reject(toStepError(entry, record.failure));
      else pending.resolve(readResult(record));
    } catch (error) {
      this.#listener.unreadable(error, entry);
    }
  }
}

/** What the workflow catches for a step that is on record as failed. */
export function toStepError(
  entry: Pick<StepEntry, "id" | "name" | "type">,
  { attempts, error }: NonNullable<StepRecord["failure"]>,
): WorkflowStepError {
  return new WorkflowStepError(toFailedStep(entry), attempts, toError(error));
}

async function settleMicrotasks(): Promise<void> {
  for (let turn = 0; turn < SETTLE_MICROTASKS; turn++) await undefined;
}
