import type { HistoryEntry } from "@perdure/core/protocol";
import type { Command } from "../rules/command.ts";
import type { Observer } from "../rules/event.ts";
import type { Failure } from "../rules/message.ts";
import type { Options } from "../rules/options.ts";
import type { QueueLimits } from "../rules/queue.ts";
import type { Expiry } from "../rules/retention.ts";
import type { Run, RunState } from "../rules/run.ts";
import type { DeliveredMessage, Settlement } from "../rules/settlement.ts";
import type { NewWait } from "../rules/wait.ts";
import type { ClaimOrder } from "./claim-order.ts";
import type { Controls } from "./controls.ts";
import type {
  DeadLetter,
  DeadLetterQuery,
  LogEntry,
  LogQuery,
  Page,
  RemovedDeadLetters,
  ResumedRuns,
  ResumeRequest,
  RetriedMessages,
  RunLog,
  RunQuery,
  StoredMessage,
} from "./lists.ts";
import type { Maintenance } from "./maintenance.ts";
import type { PublishingStore } from "./publishing.ts";
import type {
  EventNotification,
  NotifyResult,
  Waiting,
  WaitReceipt,
  WebhookLimits,
  WebhookState,
} from "./waits.ts";

export type { ClaimOrder } from "./claim-order.ts";
export type {
  EventNotification,
  NotifyResult,
  Waiting,
  WaitReceipt,
  WebhookLimits,
  WebhookState,
} from "./waits.ts";

/**
 * What the engine asks of a store. Each operation is atomic, and durable when its promise resolves: after a crash at any
 * moment it has happened or it hasn't. Times are milliseconds since 1970, by the clock of {@link Store.useClock}.
 *
 * A message is due at `dueAt`, and is given out by {@link Store.claim} under a lease: its `dueAt` becomes the lease's
 * end, so that whatever nobody settles comes due again by itself. A claim raises the message's fence, and a settlement
 * under an older fence is ignored.
 */
export interface Store extends Controls, PublishingStore, Maintenance {
  /**
   * Stores requests, all of them or none. A run that is alive already, a step that has invoked one, or a record or call
   * that its run has already, is answered with what is there, and nothing is stored for it.
   *
   * @throws Problem 400 for a record, a call, an invocation or a configuration of a run that isn't alive, and for the
   * invocation of a run that is alive on somebody else's account; 412 for one queue too many
   */
  accept(commands: readonly Command[], limits?: Partial<QueueLimits>): Promise<Receipt[]>;

  /**
   * Has a step recorded when its event comes: at once, when that has come before it was waited for. A step that waits
   * already, or is recorded, is answered with what is there.
   *
   * @throws Problem 400 when its run isn't alive
   */
  wait(wait: NewWait): Promise<WaitReceipt>;

  /**
   * Hands an event to those who wait for it. One that is meant for one run goes to the first in it that waits, or is
   * kept there until something does.
   */
  notify(notice: EventNotification): Promise<NotifyResult>;
  /** Whether a run's webhook takes one more request: asked before the body of the request is read. */
  webhookState(runId: string, eventId: string, most: WebhookLimits): Promise<WebhookState>;

  /** Who waits for an event, the first first. */
  waiters(eventId: string): Promise<Waiting[]>;

  /**
   * Gives out what is due, in the order in which it came due, as far as it is within the limits of its flow control.
   * Waits that are over by now are recorded, and what schedules are to make by now is made, before.
   */
  claim(order: ClaimOrder): Promise<Claims>;

  /** The entries of a claim, with the bodies that it lacks. */
  entriesOf(claim: Claim): Promise<HistoryEntry[]>;

  /** Moves the end of leases. @returns those that were lost or settled: they stay as they are */
  renew(leases: readonly Lease[], until: number): Promise<Lease[]>;

  /** Gives leases back: what they were for is due at once, as if it had not been tried. */
  release(leases: readonly Lease[]): Promise<void>;

  /**
   * Records what an attempt came to, with all that follows from it: a failure that is final ends the run, cancels what
   * else is pending of it, enters the dead letter queue and creates the message that reports it. The end of a call
   * records its answer and creates the message that brings it.
   *
   * The end of a run, here and wherever else one comes to it, is recorded in the run that has invoked it.
   */
  settle(lease: Lease, settlement: Settlement): Promise<Settled>;

  /** Ends a run, with the workflow's result or by cancellation. */
  endRun(runId: string, end: RunEnd): Promise<EndedRun>;

  /** Cancels live runs, the newest first, `count` at most. @returns how many */
  cancelRuns(query: RunQuery): Promise<number>;

  /** Cancels a message that is not at its end, and its run when nothing else is pending of it. @returns whether it did */
  cancelMessage(messageId: string): Promise<boolean>;

  /**
   * Deletes what was kept only to be looked at for a while, up to `limit` of each kind. A live run is never touched; one
   * that failed stays as long as its dead letter. A flow control key goes with the log, unless it is paused or pinned, its
   * period isn't over, or a message that isn't at its end has it.
   *
   * @returns whether there may be more
   */
  sweep(expiry: Expiry, limit: number): Promise<boolean>;

  /** A message that isn't at its end, or came there later than `since`, unless it was cancelled or has left the dead letter queue. */
  message(messageId: string, since: number): Promise<StoredMessage | undefined>;

  /** What became of messages, the newest first. A run's own deliveries aren't among it: its run log tells of them. */
  logs(query: LogQuery): Promise<Page<LogEntry>>;

  /** The history of a live run; with `ended`, of the last one of that id, also when it has ended. */
  history(runId: string, which?: HistoryChoice): Promise<HistoryEntry[] | undefined>;

  /** Runs, the newest first. */
  runs(query: RunQuery): Promise<Page<RunLog>>;

  /** Dead letters, the newest first. */
  deadLetters(query: DeadLetterQuery): Promise<Page<DeadLetter>>;

  /**
   * Takes failed runs up again as new ones, and their entries out of the dead letter queue: from the start, or with all
   * that is recorded.
   */
  resumeRuns(query: DeadLetterQuery, how: ResumeRequest): Promise<ResumedRuns>;

  /**
   * Makes new messages, with the same content, of messages that failed, and takes their entries out of the queue.
   *
   * @throws Problem 412 for one queue too many
   */
  retry(query: DeadLetterQuery, options: Options, limits?: Partial<QueueLimits>): Promise<RetriedMessages>;

  /** Takes entries out of the dead letter queue. */
  removeDeadLetters(query: DeadLetterQuery): Promise<RemovedDeadLetters>;

  /** Makes the report of a failure again. `undefined` when there is no such entry, or its report hasn't failed. */
  repeatReport(dlqId: string): Promise<Run | undefined>;

  /** Has the rollbacks made again that failed. `undefined` when there are none, or something is under way already. */
  repeatRollbacks(dlqId: string): Promise<Run | undefined>;

  /** Calls `listener` whenever something is stored that comes due, with the time of it. There is one listener. */
  onDue(listener: (dueAt: number) => void): void;

  /** Calls `listener` with each event that a transaction recorded, once that is durable. There is one listener. */
  onEvent(listener: Observer): void;

  /** Takes the time of transactions from `now`, in milliseconds since 1970, instead of from the machine's clock. */
  useClock(now: () => number): void;

  /** Commits what is waiting, and takes no more. */
  close(): Promise<void>;
}

/** Which of the runs that had an id. */
export interface HistoryChoice {
  readonly ended?: boolean;
  readonly createdAt?: number | undefined;
}

/** The right to settle a message, until it is given to somebody else. */
export interface Lease {
  readonly seq: number;
  readonly messageId: string;
  /** The run that the message belongs to. */
  readonly runId: string | undefined;
  readonly fence: number;
}

export interface Claims {
  readonly claims: readonly Claim[];
  /** When the next message comes due, other than those that the caller holds: it keeps their leases alive itself. */
  readonly nextDue: number | undefined;
  /** Of each destination that was open, or in which something was set aside, whether messages wait there now. */
  readonly destinations: ReadonlyMap<string, boolean>;
}

/** A message to deliver, with all that its delivery needs. */
export interface Claim extends DeliveredMessage {
  readonly lease: Lease;
  /** Bytes of the bodies of calls and answers that its entries lack: {@link Store.entriesOf} has them. */
  readonly omitted: number;
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

/** `unknown`: there never was such a run, or nothing is kept of it. */
export type EndedRun = "ended" | "ended before" | "unknown";

/** The store can't be opened or used: it is somebody else's, in use, broken, closed, or full. The message says which. */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
}
