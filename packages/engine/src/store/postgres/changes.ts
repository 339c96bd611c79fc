import type { EngineEvent } from "../../rules/event.ts";
import { sumStates } from "../after-commit.ts";
import type { StateCount } from "../maintenance.ts";
import type { Tx } from "../tx.ts";

/** The effects of a transaction beside the tables. */
export interface Changed {
  /** When the messages come due that it has stored, in milliseconds since 1970. */
  readonly times: readonly number[];
  readonly events: readonly EngineEvent[];
  readonly states: readonly StateCount[];
}

/** A point in a transaction to which an operation that has failed returns. */
export interface Mark {
  readonly times: number;
  readonly events: number;
  readonly states: number;
}

/** Collects the changes of one transaction, for its listeners after the commit. */
export class Changes implements Pick<Tx, "wakeAt" | "record" | "count"> {
  readonly #times: number[] = [];
  readonly #events: EngineEvent[] = [];
  readonly #states: StateCount[] = [];

  wakeAt(dueAt: number): void {
    this.#times.push(dueAt);
  }

  record(event: EngineEvent): void {
    this.#events.push(event);
  }

  count(change: StateCount): void {
    if (change.count > 0) this.#states.push(change);
  }

  get mark(): Mark {
    return { times: this.#times.length, events: this.#events.length, states: this.#states.length };
  }

  /** Drops everything since `mark`. */
  rollback({ times, events, states }: Mark): void {
    this.#times.length = times;
    this.#events.length = events;
    this.#states.length = states;
  }

  take(): Changed {
    return { times: this.#times, events: this.#events, states: sumStates(this.#states) };
  }
}
