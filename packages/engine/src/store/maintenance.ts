import type { LogState } from "../rules/log.ts";
import type { RunState } from "../rules/run.ts";

/** What the engine asks of a store for itself rather than for its messages. */
export interface Maintenance {
  /** A setting, as it was last written. */
  setting(name: string): Promise<string | undefined>;

  /** Writes a setting that still is what it `was`. @returns whether it did */
  changeSetting(name: string, was: string | undefined, value: string): Promise<boolean>;

  /**
   * Copies all that is stored as it is at one moment, while the engine goes on.
   *
   * @throws EngineError `not_possible_here` where the database isn't a file
   */
  backup(): Promise<Backup>;

  /** Resolves when something has been stored. @throws StoreUnavailable while nothing can be: the disk is full, say */
  probe(): Promise<void>;

  /** How much there is to do. */
  backlog(): Promise<Backlog>;

  /** Calls `listener` with the states into which messages and runs have come, once that is durable. There is one listener. */
  onStates(listener: (counts: readonly StateCount[]) => void): void;
}

/** Numbers of messages. */
export interface Backlog {
  /** To be delivered now. */
  readonly due: number;
  /** Not before a time to come. */
  readonly waiting: number;
  /** Until their flow control, or the room for their destination, lets them. */
  readonly held: number;
  readonly deadLetters: number;
}

/** How many have come into a state. */
export type StateCount =
  /** Of messages: each has an entry in the log. */
  | { readonly of: "message"; readonly state: LogState; readonly count: number }
  /** Of a run's own deliveries, which have none. */
  | { readonly of: "delivery"; readonly state: LogState; readonly count: number }
  | { readonly of: "run"; readonly state: RunState; readonly count: number };

/** A copy of a database. */
export interface Backup {
  /** Bytes of the copy. */
  readonly size: number;
  /** Must be read to its end, or cancelled. */
  readonly content: ReadableStream<Uint8Array>;
}
