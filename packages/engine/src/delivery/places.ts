import type { Room } from "./lanes.ts";

export interface PlaceLimits {
  /** Deliveries under way at once. */
  readonly concurrency: number;
  /** Calls under way at once, beside the deliveries; those above count as deliveries. */
  readonly calls: number;
  /** Deliveries and calls under way at once, all together. */
  readonly parallelism: number;
}

/** One delivery or call, from its claim to its end. */
export interface Place {
  readonly isCall: boolean;
}

/**
 * The places that deliveries and calls have while they are under way. One whose destination's name is being looked up
 * gives its place back, and takes one again before it connects: a name server that is silent takes no place from
 * messages that can be sent. As many as `concurrency` may look up without a place; more keep theirs.
 */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #onFree: () => void;
  readonly #taken = new Set<Place>();
  readonly #looking = new Set<Place>();
  /** Those that know their address and wait for a place, in the order in which they came to know it. */
  readonly #arrivals = new Map<Place, () => void>();
  #calls = 0;

  /** @param onFree called when a look-up has given a place back */
  constructor(limits: PlaceLimits, onFree: () => void) {
    this.#limits = limits;
    this.#onFree = onFree;
  }

  /** Deliveries and calls that have a place. */
  get taken(): number {
    return this.#taken.size;
  }

  /** How many more may begin. A third party may take its time: that is not to hold up the runs. */
  room(): Room {
    const { concurrency, calls } = this.#limits;
    const beside = Math.min(this.#calls, calls);
    return { deliveries: concurrency - (this.#taken.size - beside), calls: calls - beside };
  }

  /** As {@link Places.room}, of everything together. */
  left(): number {
    return Math.min(this.room().deliveries, this.#limits.parallelism - this.#taken.size);
  }

  take(place: Place): void {
    this.#taken.add(place);
    if (place.isCall) this.#calls++;
  }

  /** Without effect on one that has left already. */
  leave(place: Place): void {
    this.#giveBack(place);
    this.#looking.delete(place);
    this.#arrivals.delete(place);
    this.#admit();
  }

  /**
   * A look-up begins.
   *
   * @returns to be called when the address is known: resolves when there is a place to connect from
   */
  lookUp(place: Place): () => Promise<void> {
    if (!this.#taken.has(place) || this.#looking.size >= this.#limits.concurrency) return async () => {};
    this.#giveBack(place);
    this.#looking.add(place);
    this.#onFree();
    return () =>
      new Promise((resolve) => {
        // Its attempt is over.
        if (!this.#looking.has(place)) return resolve();
        this.#arrivals.set(place, resolve);
        this.#admit();
      });
  }

  #giveBack(place: Place): void {
    if (this.#taken.delete(place) && place.isCall) this.#calls--;
  }

  #admit(): void {
    for (const [place, enter] of this.#arrivals) {
      if (this.left() <= 0) return;
      this.#arrivals.delete(place);
      this.#looking.delete(place);
      this.take(place);
      enter();
    }
  }
}
