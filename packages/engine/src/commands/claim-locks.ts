import type { LockKind, Tx } from "../store/tx.ts";

/** The locks that a claim takes without waiting. */
export class Locks {
  readonly #tx: Tx;
  readonly #busy = new Set<string>();
  /** Whether another transaction had one of the locks. */
  passedOver = false;

  constructor(tx: Tx) {
    this.#tx = tx;
  }

  /**
   * Takes a lock. One that wasn't free stays so for this claim: a later message must not overtake the one that was passed
   * over.
   *
   * @returns false when another transaction has the lock; true without a key
   */
  async take(kind: LockKind, key: string | null): Promise<boolean> {
    if (key === null) return true;
    const name = `${kind} ${key}`;
    if (!this.#busy.has(name) && (await this.#tx.tryLock(kind, key))) return true;
    this.#busy.add(name);
    this.passedOver = true;
    return false;
  }
}
