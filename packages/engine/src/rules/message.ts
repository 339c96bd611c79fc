import type { DeliveryPolicy } from "./delivery-policy.ts";
import type { HeaderList } from "./header.ts";
import type { Options } from "./options.ts";

/**
 * The purpose of a message: a user's message; a delivery of a run's history; a run's call to a third party; the answer to such a
 * call; the report of a failure; only the rollbacks of a failed run; or the report of a cancellation.
 */
export type MessageKind = "message" | "step" | "call" | "answer" | "failure" | "rollback" | "cancel";

/** The kinds of message that follow the end of a run. */
export const POST_RUN_KINDS: readonly MessageKind[] = ["failure", "rollback", "cancel"];

/** Whether a message follows the end of a run. */
export function isPostRun(kind: MessageKind): boolean {
  return POST_RUN_KINDS.includes(kind);
}

export type MessageState = "CREATED" | "ACTIVE" | "RETRY" | "DELIVERED" | "FAILED" | "CANCELLED";

/**
 * A message as the engine accepts it. Times are milliseconds since 1970. An option of its policy that says nothing comes
 * from the message's run, or from the engine's defaults.
 */
export interface NewMessage extends DeliveryPolicy {
  readonly id: string;
  readonly kind: MessageKind;
  readonly url: string;
  /** The URL group that it was published to. */
  readonly urlGroup: UrlGroupOrigin | undefined;
  readonly method: string;
  /** For the destination, lowest in rank: nothing that the engine sets itself is taken from here. */
  readonly forward: HeaderList;
  readonly contentType: string | undefined;
  /** `undefined` for what a run's history holds: a step's body is all of it, a call's and an answer's is their entry. */
  readonly body: Uint8Array | undefined;
  readonly notBefore: number;
  readonly createdAt: number;
  readonly callerIp: string;
  /** Where a final failure is reported; a step's is told by its run. */
  readonly failureCallback: Callback | undefined;
  /** Where the answer to a call is brought, or each attempt at a plain message is reported. */
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

/** Where and how something is reported. */
export interface Callback {
  readonly url: string;
  readonly options: Options | undefined;
}

/** A message on its way, or at its end. */
export interface Message extends NewMessage {
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

/** The answer to one attempt. Header names are in lower case. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** Cut at the engine's limit. */
  readonly body: Uint8Array;
  /** There was more of it. */
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
  /** The answer was fine in itself; it is the engine that calls it a failure. */
  readonly byEngine: boolean;
}
