import { toError } from "../protocol/error.ts";
import type { StepRecord } from "../protocol/step.ts";
import { readResult, type Step } from "../steps/index.ts";
import { WorkflowStepError } from "../util/errors.ts";
import { type Group, type StepEntry, toFailedStep } from "./step-history.ts";

/** Microtasks without a new request after which a group of parallel steps counts as complete. */
const SETTLE_MICROTASKS = 20;

/** A step that the workflow has requested and waits for. */
export interface PendingStep {
  readonly step: Step;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Listener {
  /** Called when the workflow waits, and requests no more steps. */
  idle(): void;
  /** Called for a record that can't be read. */
  unreadable(error: unknown, entry: StepEntry): void;
}

/**
 * Matches the steps that a workflow requests in one invocation with their records, by name and kind. Their order doesn't match:
 * parallel branches may request their steps in another order in each invocation.
 */
export class StepMatcher {
  /** Recorded steps that the workflow hasn't requested. */
  readonly unmatched: Set<StepEntry>;
  /** Recorded steps that the workflow has requested. */
  readonly matched: Map<StepEntry, PendingStep> = new Map();
  /** Requested steps without a record. */
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

  /** Matches a requested step. @returns its entry in the history; undefined for a new step */
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

  /** The unmatched steps that aren't {@link StepEntry.optional}. */
  get missing(): StepEntry[] {
    return [...this.unmatched].filter(({ optional }) => !optional);
  }

  /** True while the workflow has requested some members of a group, and others not yet. */
  get hasPartialGroup(): boolean {
    for (const entry of this.unmatched)
      if (entry.group.finished.some((one) => this.matched.has(one))) return true;
    return false;
  }

  /** Waits until the workflow requests no more steps, and calls the listener. */
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

  // Resolves a group once the workflow has requested all members, in the order of recording. The pause between two members lets
  // the code that waits for the first run first, so that a race has the same winner in every invocation.
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

/** Creates the error that the workflow catches for a step that is recorded as failed. */
export function toStepError(
  entry: Pick<StepEntry, "id" | "name" | "type">,
  { attempts, error }: NonNullable<StepRecord["failure"]>,
): WorkflowStepError {
  return new WorkflowStepError(toFailedStep(entry), attempts, toError(error));
}

async function settleMicrotasks(): Promise<void> {
  for (let turn = 0; turn < SETTLE_MICROTASKS; turn++) await undefined;
}
