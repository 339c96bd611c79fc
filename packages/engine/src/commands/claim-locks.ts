import type { LockKind, Tx } from "../store/tx.ts";

/** The locks that a claim takes without waiting. */
export class Locks {
  readonly #tx: Tx;
  /** Whether another transaction had one of the locks. */
  passedOver = false;

  constructor(tx: Tx) {
    this.#tx = tx;
  }

  /** @returns false when another transaction has the lock; true without a key */
  async take(kind: LockKind, key: string | null): Promise<boolean> {
    if (key === null || (await this.#tx.tryLock(kind, key))) return true;
    this.passedOver = true;
    return false;
  }
}
