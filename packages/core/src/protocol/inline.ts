import type { InlineAttempt, StepKey } from "./attempt.ts";
import type { HistoryEntry } from "./history.ts";
import type { StepRecord } from "./step.ts";
import type { WaitRequest } from "./wait.ts";

// Inline execution, between this package's runtime and Perdure's own engine: one delivery runs as many steps as it can.
// docs/protocol.md describes the exchange; these are its JSON bodies.

/** One line that an invocation adds to its run's history. */
export type InlineRecord =
  /** The result of a step, or its caught failure. */
  | { readonly kind: "result"; readonly record: StepRecord }
  /** A step that the engine does: its plan, and the request to do it. The engine records the result. */
  | ({ readonly kind: "ask"; readonly record: StepRecord } & InlineRequest)
  /** A step with `atMostOnce` is about to begin: its plan. Only the result of the step follows it. */
  | { readonly kind: "begin"; readonly record: StepRecord }
  /** A failed attempt of a step, while other steps of the invocation go on. */
  | InlineAttempt;

/** The request to the engine to do a step. */
export type InlineRequest =
  /** Send a message: a call, or the start of an invoked run. As an item of a batch. */
  | { readonly message: InlineMessage }
  /** Wait for an event or a webhook request. */
  | { readonly wait: WaitRequest }
  /** Let time pass: milliseconds from now by the engine's clock, which may differ from the endpoint's. */
  | { readonly delayMs: number }
  /** Let time pass until a moment: milliseconds since 1970. */
  | { readonly until: number };

/** An item of `POST /v2/batch`. */
export interface InlineMessage {
  readonly destination: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** The appends of one invocation. */
export interface InlineAppend {
  /** The value of the delivery's `Perdure-Lease`. */
  readonly lease: string;
  /**
   * Identifies the invocation: a random string. A delivery that arrives twice has two invocations, and the lease belongs to the
   * first of them that appends.
   */
  readonly invocation: string;
  /** How many entries of the history the invocation knows. */
  readonly after: number;
  /** In the order of recording. The engine records all of them or none. */
  readonly records: readonly InlineRecord[];
  /** The steps that run once the records are stored, including those that are about to begin. */
  readonly underWay: readonly StepKey[];
  /**
   * In an append of an invocation that knows only the history of its delivery: the endpoint's `Perdure-Capabilities`. The invocation's answer, which has them too,
   * may never arrive.
   */
  readonly capabilities?: string | undefined;
}

/** Body of `POST /v2/workflows/append`. */
export interface InlineAppends {
  readonly appends: readonly InlineAppend[];
}

/** One line of the history that follows `after`. Its position is `after` + its place in the list. */
export type InlineNews =
  /** A record of this append: its index. An attempt also says what follows from it. */
  | {
      readonly own: number;
      /** When the step may be tried again, in milliseconds since 1970. */
      readonly retryAt?: number | undefined;
      /** The step has no retries left. */
      readonly exhausted?: true | undefined;
    }
  /** An entry from elsewhere: an event, an answer, a child's end. */
  | { readonly entry: HistoryEntry };

/** The engine's answer to one {@link InlineAppend}. */
export type InlineAnswer =
  /** The records are on disk. */
  | { readonly news: readonly InlineNews[] }
  /** Another invocation holds the run: this one must begin no step and append nothing more. */
  | { readonly error: "lease_lost" }
  /** The run has ended meanwhile. */
  | { readonly error: "run_over"; readonly state: string }
  /** The records can't be accepted: repeating them is of no use. */
  | { readonly error: "refused"; readonly message: string };

/** Body of the answer to {@link InlineAppends}: one item for each append, in order. */
export interface InlineAnswers {
  readonly appends: readonly InlineAnswer[];
}

/** The property `perdure` in the body of an answer to a delivery whose lease the endpoint has taken. */
export interface InlineEnd {
  /** As in the appends of the invocation. */
  readonly invocation: string;
  readonly after: number;
  /** The records that haven't been appended. */
  readonly records: readonly InlineRecord[];
  /** How the invocation ended; absent in the answer of a failed attempt. */
  readonly end?: "returned" | "parked" | "continue";
  /** The workflow's result, as JSON text. */
  readonly result?: string | undefined;
  /** In the answer of a failed attempt: the step that failed. */
  readonly failed?: StepKey | undefined;
}
