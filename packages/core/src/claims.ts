import { type Group, placeOfSlot, type Slot } from "./group.ts";
import { WorkflowStepError } from "./kernel/errors.ts";
import { toError } from "./protocol/error.ts";
import type { StepRecord } from "./protocol/step.ts";
import { read, type Step } from "./steps/index.ts";

/** Turns of the microtask queue without a new request after which a group counts as complete. */
const QUIET_TURNS = 20;

/** A step that the workflow has asked for, and waits for. */
export interface Asked {
  readonly step: Step;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Listener {
  /** No more requests come in by themselves. */
  quiet(): void;
  /** What is on record can't be read. */
  unreadable(error: unknown, slot: Slot): void;
}

/**
 * What a workflow asks for in one invocation, and the records that answer it. They are found by name and kind, not by place:
 * which of several branches asks first may change from one invocation to the next, when they wait for something of their own.
 */
export class Claims {
  /** On record and not asked for. */
  readonly unclaimed: Set<Slot>;
  /** On record and asked for. */
  readonly claimed: Map<Slot, Asked> = new Map();
  /** Asked for and not on record. */
  readonly fresh: Asked[] = [];
  readonly #listener: Listener;
  #requests = 0;
  /** Groups whose members are being resolved. */
  #settling = 0;
  #watching = false;

  constructor(slots: Iterable<Slot>, listener: Listener) {
    this.unclaimed = new Set(slots);
    this.#listener = listener;
  }

  /** @returns where the step is on record; undefined for a new one */
  take(asked: Asked): Slot | undefined {
    this.#requests++;
    const slot = this.#find(asked.step);
    if (!slot) {
      this.fresh.push(asked);
      return undefined;
    }
    this.unclaimed.delete(slot);
    this.claimed.set(slot, asked);
    if (slot.group.finished.length === slot.group.size) void this.#settle(slot.group);
    return slot;
  }

  /** On record, not asked for, and not {@link Slot.optional}. */
  get missing(): Slot[] {
    return [...this.unclaimed].filter(({ optional }) => !optional);
  }

  /** True while members of a group are asked for and others aren't yet. */
  get groupIsOpen(): boolean {
    for (const slot of this.unclaimed)
      if (slot.group.finished.some((one) => this.claimed.has(one))) return true;
    return false;
  }

  /** Waits until no more requests come in by themselves, and tells. */
  async watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    let seen: number;
    do {
      seen = this.#requests;
      await quiet();
    } while (seen !== this.#requests);
    this.#watching = false;
    if (this.#settling === 0) this.#listener.quiet();
  }

  #find(step: Step): Slot | undefined {
    for (const slot of this.unclaimed) if (slot.name === step.name && slot.type === step.type) return slot;
    return undefined;
  }

  // Once all members were asked for, as they were the first time; in the order in which they were recorded, with time
  // between them for what waits for each, so that a race has the same winner in every invocation.
  async #settle(group: Group): Promise<void> {
    if (!group.finished.every((slot) => this.claimed.has(slot))) return;
    this.#settling++;
    for (const slot of group.finished) {
      if (group.size > 1) await quiet();
      this.#resolve(slot);
    }
    this.#settling--;
    void this.watch();
  }

  #resolve(slot: Slot): void {
    const asked = this.claimed.get(slot) as Asked;
    const record = slot.result as StepRecord;
    try {
      if (record.failure) asked.reject(toStepError(slot, record.failure));
      else asked.resolve(read(record));
    } catch (error) {
      this.#listener.unreadable(error, slot);
    }
  }
}

/** What the workflow catches for a step that is on record as failed. */
export function toStepError(
  slot: Pick<Slot, "id" | "name" | "type">,
  { attempts, error }: NonNullable<StepRecord["failure"]>,
): WorkflowStepError {
  return new WorkflowStepError(placeOfSlot(slot), attempts, toError(error));
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < QUIET_TURNS; turn++) await undefined;
}
