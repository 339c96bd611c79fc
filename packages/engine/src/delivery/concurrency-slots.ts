import type { FreeCapacity } from "./destination-limiter.ts";

export interface ConcurrencyLimits {
  /** Deliveries under way at once. */
  readonly concurrency: number;
  /** Calls under way at once, beside the deliveries; those above count as deliveries. */
  readonly calls: number;
  /** Deliveries and calls under way at once, all together. */
  readonly parallelism: number;
}

/** One delivery or call, from its claim to its end. */
export interface ConcurrencySlot {
  readonly isCall: boolean;
}

/**
 * The slots that deliveries and calls have while they are under way. One whose destination's name is being looked up
 * gives its slot back, and takes one again before it connects: a name server that is silent takes no slot from
 * messages that can be sent. As many as `concurrency` may look up without a slot; more keep theirs.
 */
export class ConcurrencySlots {
  readonly #limits: ConcurrencyLimits;
  readonly #onFree: () => void;
  readonly #taken = new Set<ConcurrencySlot>();
  readonly #looking = new Set<ConcurrencySlot>();
  /** Deliveries that wait for a slot after their look-up, in the order in which their look-ups ended. */
  readonly #arrivals = new Map<ConcurrencySlot, () => void>();
  #calls = 0;

  /** @param onFree called when a look-up has given a slot back */
  constructor(limits: ConcurrencyLimits, onFree: () => void) {
    this.#limits = limits;
    this.#onFree = onFree;
  }

  /** Deliveries and calls that have a slot. */
  get taken(): number {
    return this.#taken.size;
  }

  /** How many more may begin. A third party may take its time: that is not to hold up the runs. */
  free(): FreeCapacity {
    const { concurrency, calls } = this.#limits;
    const beside = Math.min(this.#calls, calls);
    return { deliveries: concurrency - (this.#taken.size - beside), calls: calls - beside };
  }

  /** As {@link ConcurrencySlots.free}, of everything together. */
  left(): number {
    return Math.min(this.free().deliveries, this.#limits.parallelism - this.#taken.size);
  }

  take(slot: ConcurrencySlot): void {
    this.#taken.add(slot);
    if (slot.isCall) this.#calls++;
  }

  /** Without effect on one that has left already. */
  release(slot: ConcurrencySlot): void {
    this.#giveBack(slot);
    this.#looking.delete(slot);
    this.#arrivals.delete(slot);
    this.#admit();
  }

  /**
   * A look-up begins.
   *
   * @returns to be called when the address is known: resolves when there is a slot to connect from
   */
  lookUp(slot: ConcurrencySlot): () => Promise<void> {
    if (!this.#taken.has(slot) || this.#looking.size >= this.#limits.concurrency) return async () => {};
    this.#giveBack(slot);
    this.#looking.add(slot);
    this.#onFree();
    return () =>
      new Promise((resolve) => {
        // Its attempt is over.
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
