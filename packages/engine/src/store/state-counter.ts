import type { StateCount } from "./upkeep.ts";

/** Counts the states into which messages and runs come in a transaction, and tells of those that stay. */
export class StateCounter {
  #listener: ((counts: readonly StateCount[]) => void) | undefined;
  #counts: StateCount[] = [];

  listen(listener: (counts: readonly StateCount[]) => void): void {
    this.#listener = listener;
  }

  add(count: StateCount): void {
    if (this.#listener && count.count > 0) this.#counts.push(count);
  }

  /** How far it has come: what a savepoint has to remember. */
  get mark(): number {
    return this.#counts.length;
  }

  /** What was counted since that mark hasn't happened. */
  rollback(mark = 0): void {
    this.#counts.length = mark;
  }

  /** What was counted is durable now. */
  commit(): void {
    if (this.#counts.length === 0) return;
    const counts = sum(this.#counts);
    this.#counts = [];
    this.#listener?.(counts);
  }
}

function sum(counts: readonly StateCount[]): StateCount[] {
  const sums = new Map<string, StateCount>();
  for (const one of counts) {
    const key = `${one.of} ${one.state}`;
    sums.set(key, { ...one, count: one.count + (sums.get(key)?.count ?? 0) });
  }
  return [...sums.values()];
}
