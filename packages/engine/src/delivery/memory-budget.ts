/** The part that one delivery has of a {@link MemoryBudget}. */
export interface MemoryReservation {
  /** Resolves when there is room for so many bytes more, and takes it. */
  take(bytes: number): Promise<void>;
  /** Gives back all that was taken. What still waits for room needn't any more. */
  release(): void;
}

interface Waiting {
  readonly holder: object;
  readonly admit: () => void;
  readonly bytes: number;
}

/**
 * Room in memory for large bodies that are being delivered, all together: those above wait for others to end.
 *
 * When there is no room left, one of those that wait goes on nevertheless, so that bodies that were read by half never
 * wait for one another for ever. The limit may be exceeded by one body.
 */
export class MemoryBudget {
  readonly #limit: number;
  #held = 0;
  /** The one that goes on without room. */
  #favoured: object | undefined;
  /** In the order in which they came. */
  #waiting: Waiting[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are held. */
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

  /** Takes what a holder waits for out of the queue. */
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
