import type { DeliveryPolicy } from "./delivery-policy.ts";
import type { HeaderList } from "./header.ts";
import type { Options } from "./options.ts";

/**
 * The purpose of a message: a user's message; a delivery of a run's history; a run's call to a third party;
 * the answer to such a call; the report of a failure; only the rollbacks of a failed run; or the report of a
 * cancellation.
 */
export type MessageKind = "message" | "step" | "call" | "answer" | "failure" | "rollback" | "cancel";

/** The kinds of message that follow the end of a run. */
export const POST_RUN_KINDS: readonly MessageKind[] = ["failure", "rollback", "cancel"];

/** Returns true if a message follows the end of a run. */
export function isPostRun(kind: MessageKind): boolean {
  return POST_RUN_KINDS.includes(kind);
}

export type MessageState = "CREATED" | "ACTIVE" | "RETRY" | "DELIVERED" | "FAILED" | "CANCELLED";

/**
 * A message as the engine accepts it. Times are milliseconds since 1970. An option that its policy doesn't
 * set comes from the message's run, or from the engine's defaults.
 */
export interface NewMessage extends DeliveryPolicy {
  readonly id: string;
  readonly kind: MessageKind;
  readonly url: string;
  /** The URL group that it was published to. */
  readonly urlGroup: UrlGroupOrigin | undefined;
  readonly method: string;
  /** Headers for the destination. The engine's own headers win over them. */
  readonly forward: HeaderList;
  readonly contentType: string | undefined;
  /**
   * `undefined` for a body in the run's history: a step delivers the whole history, a call and an answer
   * their entry.
   */
  readonly body: Uint8Array | undefined;
  readonly notBefore: number;
  readonly createdAt: number;
  readonly callerIp: string;
  /**
   * The URL to which the engine reports a final failure. A step has none: the engine reports the failure of
   * its run.
   */
  readonly failureCallback: Callback | undefined;
  /** The URL to which the engine brings the answer to a call, or reports each attempt at a plain message. */
  readonly callback: Callback | undefined;
  /** The queue in which it waits for its turn. */
  readonly queue?: string | undefined;
  /** The schedule that made it. */
  readonly schedule?: string | undefined;
}

export interface UrlGroupOrigin {
  readonly name: string;
  /** The name of the endpoint, where it has one. */
  readonly endpoint: string | undefined;
}

/** The URL and the options of a report. */
export interface Callback {
  readonly url: string;
  readonly options: Options | undefined;
}

/** A stored message, pending or ended. */
export interface Message extends NewMessage {
  /** Its key in the store. */
  readonly seq: number;
  readonly state: MessageState;
  /** The number of failed attempts. */
  readonly retried: number;
  readonly maxRetries: number;
  /**
   * The time when the next attempt begins, or the lease of the attempt in progress ends; `undefined` at the
   * message's end.
   */
  readonly dueAt: number | undefined;
}

export const DEFAULT_RETRIES = 3;

/** The answer to one attempt. Header names are in lower case. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** The body, cut at the engine's limit. */
  readonly body: Uint8Array;
  /** True when the answer was longer. */
  readonly cut?: boolean | undefined;
}

/** One attempt that failed. */
export interface Failure {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The error in one line. */
  readonly error: string;
  /** Absent when there was no answer. */
  readonly reply: Reply | undefined;
  /** True when the answer has a success status, and the engine counts it as a failure. */
  readonly byEngine: boolean;
}
