import type { EngineEvent, Observer } from "../rules/event.ts";
import type { StateCount } from "./maintenance.ts";

/** A point in a transaction's events and counts to which a savepoint can return. */
export interface Mark {
  readonly counts: number;
  readonly events: number;
}

const START: Mark = { counts: 0, events: 0 };

/**
 * Keeps the events and the changes of state of a transaction, and hands them to their listeners after the
 * commit.
 */
export class AfterCommit {
  #onStates: ((counts: readonly StateCount[]) => void) | undefined;
  #onEvent: Observer | undefined;
  #counts: StateCount[] = [];
  #events: EngineEvent[] = [];

  onStates(listener: (counts: readonly StateCount[]) => void): void {
    this.#onStates = listener;
  }

  onEvent(listener: Observer): void {
    this.#onEvent = listener;
  }

  count(change: StateCount): void {
    if (this.#onStates && change.count > 0) this.#counts.push(change);
  }

  record(event: EngineEvent): void {
    if (this.#onEvent) this.#events.push(event);
  }

  get mark(): Mark {
    return { counts: this.#counts.length, events: this.#events.length };
  }

  /** Drops everything since `mark`. */
  rollback({ counts, events }: Mark = START): void {
    this.#counts.length = counts;
    this.#events.length = events;
  }

  /** Hands over everything, after the transaction has become durable. */
  commit(): void {
    const [counts, events] = [this.#counts, this.#events];
    [this.#counts, this.#events] = [[], []];
    if (counts.length > 0) this.#onStates?.(sumStates(counts));
    for (const event of events) this.#onEvent?.(event);
  }
}

/** Adds up the counts of each state. */
export function sumStates(counts: readonly StateCount[]): StateCount[] {
  const sums = new Map<string, StateCount>();
  for (const one of counts) {
    const key = `${one.of} ${one.state}`;
    sums.set(key, { ...one, count: one.count + (sums.get(key)?.count ?? 0) });
  }
  return [...sums.values()];
}
