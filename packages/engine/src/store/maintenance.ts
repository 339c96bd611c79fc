import type { LogState } from "../rules/log.ts";
import type { RunState } from "../rules/run.ts";

/** Numbers of messages. */
export interface Backlog {
  /** Messages that are due. */
  readonly due: number;
  /** Messages that are due later. */
  readonly waiting: number;
  /** Messages that a queue, a flow control key or a destination holds back. */
  readonly held: number;
  readonly deadLetters: number;
}

/** A number of messages, deliveries or runs that have reached a state. */
export type StateCount =
  /** Messages. Each has an entry in the log. */
  | { readonly of: "message"; readonly state: LogState; readonly count: number }
  /** A run's own deliveries, which have no entry in the log. */
  | { readonly of: "delivery"; readonly state: LogState; readonly count: number }
  | { readonly of: "run"; readonly state: RunState; readonly count: number }
  | { readonly of: "inline"; readonly state: InlineCount; readonly count: number }
  /** Operations that PostgreSQL has refused, and that the engine does again. */
  | { readonly of: "retry"; readonly state: RetryReason; readonly count: number };

/** Why an operation is done again. */
export type RetryReason = "serialization" | "deadlock" | "lock" | "duplicate" | "plan" | "connection";

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
  /** The caller must read it to its end, or cancel it. */
  readonly content: ReadableStream<Uint8Array>;
}
