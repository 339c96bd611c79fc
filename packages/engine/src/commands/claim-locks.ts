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

  /**
   * Takes a lock, once in this claim. One that wasn't free stays so: a later message must not overtake the one that was
   * passed over.
   *
   * @returns false when another transaction has the lock; true without a key
   */
  async take(kind: LockKind, key: string | null): Promise<boolean> {
    if (key === null) return true;
    const name = `${kind} ${key}`;
    const asked = this.#asked.get(name) ?? this.#tx.tryLock(kind, key);
    this.#asked.set(name, asked);
    const taken = await asked;
    if (!taken) this.passedOver = true;
    return taken;
  }
}
