import type { HeaderList } from "./header.ts";
import type { Options, Redaction } from "./options.ts";

/** What a message is for: anything of a user's, one delivery of a run's history, or the report of a failure. */
export type Purpose = "message" | "step" | "failure";

export type MessageState = "CREATED" | "ACTIVE" | "RETRY" | "DELIVERED" | "FAILED" | "CANCELLED";

/** What is to be delivered, as it was accepted. Times are milliseconds since 1970. */
export interface Draft {
  readonly id: string;
  readonly purpose: Purpose;
  readonly url: string;
  readonly method: string;
  /** For the destination, lowest in rank: nothing that the engine sets itself is taken from here. */
  readonly forward: HeaderList;
  readonly contentType: string | undefined;
  /** `undefined` for a step: its body is the run's history. */
  readonly body: Uint8Array | undefined;
  /** Attempts after the first. `undefined` takes the run's, or the default. */
  readonly retries: number | undefined;
  readonly retryDelay: string | undefined;
  /** Milliseconds for one attempt; `undefined` takes the engine's. */
  readonly timeout: number | undefined;
  readonly notBefore: number;
  readonly createdAt: number;
  readonly callerIp: string;
  readonly labels: readonly string[];
  readonly redact: Redaction | undefined;
  /** Where a final failure is reported; a step's is told by its run. */
  readonly failureCallback: FailureCallback | undefined;
}

/** Where and how a final failure is reported. */
export interface FailureCallback {
  readonly url: string;
  readonly options: Options | undefined;
}

/** A message on its way, or at its end. */
export interface Message extends Draft {
  /** Its place in the store. */
  readonly seq: number;
  readonly state: MessageState;
  /** Attempts that failed. */
  readonly retried: number;
  readonly maxRetries: number;
  /** The next attempt, or the end of the lease on the one under way; `undefined` when nothing is left to do. */
  readonly dueAt: number | undefined;
}

export const DEFAULT_RETRIES = 3;

/** What one attempt brought back. Header names are in lower case. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** Cut at the engine's limit. */
  readonly body: Uint8Array;
}

/** One attempt that failed. */
export interface Failure {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** What went wrong, in one line. */
  readonly error: string;
  /** Absent when there was no answer. */
  readonly reply: Reply | undefined;
  /** The answer was fine in itself; it is the engine that calls it a failure. */
  readonly byEngine: boolean;
}
