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
  /** For messages, which have an entry in the log each. */
  | { readonly of: "message"; readonly state: LogState; readonly count: number }
  /** For a run's own deliveries, which have none. */
  | { readonly of: "delivery"; readonly state: LogState; readonly count: number }
  | { readonly of: "run"; readonly state: RunState; readonly count: number }
  | { readonly of: "inline"; readonly state: InlineCount; readonly count: number };

/** The counters of inline runs. */
export type InlineCount =
  /** Results that invocations have recorded. */
  | "steps"
  /** Accepted requests to append. */
  | "appends"
  /** Invocations that didn't run inline, of runs that did before. */
  | "fallbacks"
  /** Requests to append by invocations that no longer have the right to. */
  | "lease_lost"
  /** Deliveries that follow an invocation that ended without an answer. */
  | "takeovers";

/** A copy of a database. */
export interface Backup {
  /** Bytes of the copy. */
  readonly size: number;
  /** Must be read to its end, or cancelled. */
  readonly content: ReadableStream<Uint8Array>;
}
