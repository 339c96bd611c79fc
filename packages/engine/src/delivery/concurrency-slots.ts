import type { FreeCapacity } from "./destination-limiter.ts";

export interface ConcurrencyLimits {
  /** Maximum number of deliveries in flight. */
  readonly concurrency: number;
  /** Maximum number of calls in flight beside the deliveries; calls above it count as deliveries. */
  readonly calls: number;
  /** Maximum number of deliveries and calls in flight together. */
  readonly parallelism: number;
}

/** One delivery or call, from its claim to its end. */
export interface ConcurrencySlot {
  readonly isCall: boolean;
}

/**
 * The slots that deliveries and calls hold while they are in flight. A delivery gives its slot back while it
 * looks up its destination's name, and takes a slot again before it connects: a silent name server takes no
 * slot from messages that can be sent. Up to `concurrency` deliveries may look up without a slot; further
 * ones keep theirs.
 */
export class ConcurrencySlots {
  readonly #limits: ConcurrencyLimits;
  readonly #onFree: () => void;
  readonly #taken = new Set<ConcurrencySlot>();
  readonly #looking = new Set<ConcurrencySlot>();
  /** Deliveries that wait for a slot after their look-up, in the order in which their look-ups ended. */
  readonly #arrivals = new Map<ConcurrencySlot, () => void>();
  #calls = 0;

  /** @param onFree called when a look-up gives a slot back */
  constructor(limits: ConcurrencyLimits, onFree: () => void) {
    this.#limits = limits;
    this.#onFree = onFree;
  }

  /** The number of deliveries and calls that hold a slot. */
  get taken(): number {
    return this.#taken.size;
  }

  /**
   * The number of deliveries and calls that may begin now. Calls have their own limit, so that a slow third
   * party doesn't hold up the runs.
   */
  free(): FreeCapacity {
    const { concurrency, calls } = this.#limits;
    const beside = Math.min(this.#calls, calls);
    return { deliveries: concurrency - (this.#taken.size - beside), calls: calls - beside };
  }

  /** The number of messages of any kind that may begin now; see {@link ConcurrencySlots.free}. */
  left(): number {
    return Math.min(this.free().deliveries, this.#limits.parallelism - this.#taken.size);
  }

  take(slot: ConcurrencySlot): void {
    this.#taken.add(slot);
    if (slot.isCall) this.#calls++;
  }

  /** Frees the slot. A second call has no effect. */
  release(slot: ConcurrencySlot): void {
    this.#giveBack(slot);
    this.#looking.delete(slot);
    this.#arrivals.delete(slot);
    this.#admit();
  }

  /**
   * Frees the slot for the time of a name look-up.
   *
   * @returns a function that the caller calls when the address is known; it resolves when the delivery has a
   * slot again
   */
  lookUp(slot: ConcurrencySlot): () => Promise<void> {
    if (!this.#taken.has(slot) || this.#looking.size >= this.#limits.concurrency) return async () => {};
    this.#giveBack(slot);
    this.#looking.add(slot);
    this.#onFree();
    return () =>
      new Promise((resolve) => {
        // The attempt ended during the look-up.
        if (!this.#looking.has(slot)) return resolve();
        this.#arrivals.set(slot, resolve);
        this.#admit();
      });
  }

  #giveBack(slot: ConcurrencySlot): void {
    if (this.#taken.delete(slot) && slot.isCall) this.#calls--;
  }

  #admit(): void {
    for (const [slot, enter] of this.#arrivals) {
      if (this.left() <= 0) return;
      this.#arrivals.delete(slot);
      this.#looking.delete(slot);
      this.take(slot);
      enter();
    }
  }
}
