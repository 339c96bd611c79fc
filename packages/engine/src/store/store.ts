import type { HistoryEntry } from "@perdure/core/protocol";
import type { Intake } from "../domain/intake.ts";
import type { Failure, Message, MessageState, Reply } from "../domain/message.ts";
import type { Delivered, Settlement } from "../domain/outcome.ts";
import type { Run, RunState } from "../domain/run.ts";

/**
 * What the engine asks of a store. Each operation is atomic, and durable when its promise resolves: after a crash at any
 * moment it has happened or it hasn't. Times are milliseconds since 1970 and always come from the caller.
 *
 * A message is due at `dueAt`, and is given out by {@link Store.claim} under a lease: its `dueAt` becomes the lease's
 * end, so that whatever nobody settles comes due again by itself. A claim raises the message's fence, and a settlement
 * under an older fence is ignored.
 */
export interface Store {
  /**
   * Stores requests, all of them or none. A run that is alive already, or a record that its run has already, is answered
   * with what is there, and nothing is stored for it.
   *
   * @throws Problem 400 for a record, or a configuration, of a run that isn't alive
   */
  accept(intakes: readonly Intake[]): Promise<Receipt[]>;

  /** Gives out what is due, in the order in which it came due. */
  claim(order: ClaimOrder): Promise<Claims>;

  /** Moves the end of leases. One that was lost or settled stays as it is. */
  renew(leases: readonly Lease[], until: number): Promise<void>;

  /** Gives leases back: what they were for is due at once, as if it had not been tried. */
  release(leases: readonly Lease[], now: number): Promise<void>;

  /**
   * Records what an attempt came to, with all that follows from it: a failure that is final ends the run, cancels what
   * else is pending of it, enters the dead letter queue and creates the message that reports it.
   */
  settle(lease: Lease, settlement: Settlement, now: number): Promise<Settled>;

  /** Ends a run, with the workflow's result or by cancellation. */
  endRun(runId: string, end: RunEnd, now: number): Promise<EndedRun>;

  /** Takes back a message that is not at its end. A run that is left with nothing pending is canceled. */
  cancelMessage(messageId: string, now: number): Promise<CanceledMessage>;

  /** Deletes what was kept only to be looked at for a while. */
  forget(now: number): Promise<void>;

  /** A message that isn't at its end, or was delivered a short while ago. */
  message(messageId: string, now: number): Promise<StoredMessage | undefined>;

  /** The history of a live run. */
  history(runId: string): Promise<HistoryEntry[] | undefined>;

  /** Runs, the newest first. */
  runs(query: RunQuery): Promise<Page<RunLog>>;

  /** Dead letters, the newest first. */
  deadLetters(query: DeadLetterQuery): Promise<Page<DeadLetter>>;

  /** Calls `listener` whenever something is stored that comes due, with the time of it. There is one listener. */
  onDue(listener: (dueAt: number) => void): void;

  close(): void;
}

/** The right to settle a message, until it is given to somebody else. */
export interface Lease {
  readonly seq: number;
  readonly messageId: string;
  readonly fence: number;
}

export interface ClaimOrder {
  readonly now: number;
  readonly leaseUntil: number;
  readonly limit: number;
}

export interface Claims {
  readonly claims: readonly Claim[];
  /** When the next message comes due, other than those that the caller holds: it keeps their leases alive itself. */
  readonly nextDue: number | undefined;
}

/** A message to deliver, with all that its delivery needs. */
export interface Claim extends Delivered {
  readonly lease: Lease;
  /** For a step: the run's history up to and with the entry that is delivered. */
  readonly entries: readonly HistoryEntry[];
}

export interface Receipt {
  readonly messageId: string;
  readonly url: string;
  /** It was there already. */
  readonly deduplicated: boolean;
  readonly run: { readonly id: string; readonly createdAt: number } | undefined;
}

export type Settled =
  /** Somebody else holds the message now, or it is no more: nothing was recorded. */
  | { readonly kind: "stale" }
  | { readonly kind: "recorded" }
  /** The end: also when a delivery succeeded, but its run has stalled. */
  | { readonly kind: "failed"; readonly failure: Failure; readonly dlqId: string | undefined };

export interface RunEnd {
  readonly state: Extract<RunState, "RUN_SUCCESS" | "RUN_CANCELED">;
  /** What the workflow returned, as the endpoint sent it. */
  readonly response: string | undefined;
}

export interface EndedRun {
  readonly kind: "ended" | "ended before" | "unknown";
  readonly run: Run | undefined;
}

export interface CanceledMessage {
  readonly canceled: boolean;
  /** The run that is canceled with it. */
  readonly runId: string | undefined;
}

export interface StoredMessage {
  readonly message: Message;
  readonly run: Run | undefined;
  /** A step's record, or a run's payload. */
  readonly entry: Uint8Array | undefined;
}

/** A page of a list that goes back in time. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** What to ask for to get the next page: absent on the last one. */
  readonly next: number | undefined;
}

/** Filters of runs. Within a list any one may match; all that are given must match. */
export interface RunQuery extends PageQuery {
  readonly ids?: readonly string[] | undefined;
  readonly urls?: readonly string[] | undefined;
  readonly states?: readonly RunState[] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly createdAt?: number | undefined;
}

export interface DeadLetterQuery extends PageQuery {
  readonly dlqIds?: readonly string[] | undefined;
  readonly messageIds?: readonly string[] | undefined;
  readonly urls?: readonly string[] | undefined;
  readonly runIds?: readonly string[] | undefined;
  readonly runCreatedAt?: number | undefined;
  readonly workflowUrls?: readonly string[] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly statuses?: readonly number[] | undefined;
  readonly callbackStates?: readonly CallbackState[] | undefined;
  /** Only those of runs. */
  readonly ofRuns?: boolean | undefined;
}

interface PageQuery {
  /** Milliseconds since 1970, inclusive. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly count: number;
  /** From the previous page. */
  readonly before?: number | undefined;
}

/** A run with all that its log shows. */
export interface RunLog {
  readonly run: Run;
  readonly entries: readonly RecordedEntry[];
  /** Its messages that are pending, or have failed or been cancelled. */
  readonly messages: readonly PendingMessage[];
  readonly failure: DeadLetter | undefined;
}

export interface RecordedEntry extends HistoryEntry {
  readonly createdAt: number;
}

export interface PendingMessage {
  readonly message: Message;
  readonly failures: readonly Failure[];
}

export interface DeadLetter {
  readonly dlqId: string;
  readonly createdAt: number;
  readonly message: Message;
  readonly run: Run | undefined;
  /** What the message carried: a step's record, or a run's payload. */
  readonly body: Uint8Array | undefined;
  readonly failure: Failure;
  readonly callback: CallbackReport | undefined;
}

/** The message that reports a failure, and what became of it. */
export interface CallbackReport {
  readonly message: Message;
  readonly state: CallbackState | "NONE";
  /** The last answer, once it is at its end. */
  readonly reply: Reply | undefined;
  readonly failures: readonly Failure[];
}

export type CallbackState =
  | "CALLBACK_INPROGRESS"
  | "CALLBACK_SUCCESS"
  | "CALLBACK_FAIL"
  | "CALLBACK_CANCELED";

/** How a report's message stands. `NONE`: it was delivered to an endpoint that has no failure function. */
export function callbackState(state: MessageState, unhandled: boolean): CallbackReport["state"] {
  switch (state) {
    case "CREATED":
    case "ACTIVE":
    case "RETRY":
      return "CALLBACK_INPROGRESS";
    case "DELIVERED":
      return unhandled ? "NONE" : "CALLBACK_SUCCESS";
    case "FAILED":
      return "CALLBACK_FAIL";
    case "CANCELLED":
      return "CALLBACK_CANCELED";
  }
}

/** The store can't be opened: it is somebody else's, in use, or broken. The message says which. */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
}
