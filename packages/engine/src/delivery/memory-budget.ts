/** One delivery's part of a {@link MemoryBudget}. */
export interface MemoryReservation {
  /** Takes room for this many more bytes; resolves once there is enough. */
  take(bytes: number): Promise<void>;
  /** Gives back all room that was taken, and resolves the pending requests for more. */
  release(): void;
}

interface Waiting {
  readonly holder: object;
  readonly admit: () => void;
  readonly bytes: number;
}

/**
 * Limits the memory for the large bodies of all deliveries in flight: deliveries above the limit wait for
 * others to end.
 *
 * When there is no room left, one waiting delivery continues nevertheless, so that half-read bodies never
 * wait for one another forever. One body may therefore exceed the limit.
 */
export class MemoryBudget {
  readonly #limit: number;
  #held = 0;
  /** The holder that continues without room. */
  #favoured: object | undefined;
  /** Requests for room, in the order of their arrival. */
  #waiting: Waiting[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The number of bytes that are taken. */
  get held(): number {
    return this.#held;
  }

  reserve(): MemoryReservation {
    const holder = {};
    let own = 0;
    return {
      take: (bytes) =>
        new Promise((resolve) => {
          const admit = (): void => {
            this.#held += bytes;
            own += bytes;
            resolve();
          };
          this.#waiting.push({ holder, admit, bytes });
          this.#goOn();
        }),
      release: () => {
        for (const { admit } of this.#remove(holder)) admit();
        this.#held -= own;
        own = 0;
        if (this.#favoured === holder) this.#favoured = undefined;
        this.#goOn();
      },
    };
  }

  /** Removes a holder's requests from the queue and returns them. */
  #remove(holder: object): Waiting[] {
    const own = this.#waiting.filter((one) => one.holder === holder);
    this.#waiting = this.#waiting.filter((one) => one.holder !== holder);
    return own;
  }

  #goOn(): void {
    for (const one of this.#waiting.slice()) {
      if (!this.#admits(one)) continue;
      this.#waiting.splice(this.#waiting.indexOf(one), 1);
      one.admit();
    }
  }

  #admits({ holder, bytes }: Waiting): boolean {
    if (this.#held + bytes <= this.#limit || this.#favoured === holder) return true;
    if (this.#favoured !== undefined) return false;
    this.#favoured = holder;
    return true;
  }
}
