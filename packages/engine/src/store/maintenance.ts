import type { LogState } from "../rules/log.ts";
import type { RunState } from "../rules/run.ts";

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
