import type { LockKind, Tx } from "../store/tx.ts";

/** The locks that a claim takes without waiting. */
export class Locks {
  readonly #tx: Tx;
  readonly #asked = new Map<string, Promise<boolean>>();
  /** Whether another transaction had one of the locks. */
  passedOver = false;

  constructor(tx: Tx) {
    this.#tx = tx;
  }

  /** Takes a lock as {@link takeEach} does. */
  async take(kind: LockKind, key: string | null): Promise<boolean> {
    const [taken] = await this.takeEach(kind, [key]);
    return taken === true;
  }

  /**
   * Takes locks, each once in this claim. One that wasn't free stays so: a later message must not overtake the one that was
   * passed over. What the caller sends next sees what the locks' last owners have left.
   *
   * @returns for each key false when another transaction has the lock; true for null
   */
  async takeEach(kind: LockKind, keys: readonly (string | null)[]): Promise<boolean[]> {
    const named = keys.filter((key) => key !== null);
    const unasked = [...new Set(named)].filter((key) => !this.#asked.has(`${kind} ${key}`));
    if (unasked.length > 0) {
      const asked = this.#tx.tryLock(kind, ...unasked);
      for (const [at, key] of unasked.entries())
        this.#asked.set(
          `${kind} ${key}`,
          asked.then((taken) => taken[at] === true),
        );
    }
    const taken = await Promise.all(
      keys.map((key) => (key === null ? true : this.#asked.get(`${kind} ${key}`))),
    );
    if (taken.includes(false)) this.passedOver = true;
    return taken.map((one) => one === true);
  }
}
