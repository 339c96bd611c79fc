import type { HistoryEntry, RollbackRecord } from "@perdure/core/protocol";
import type { ErrorGroup } from "../rules/fingerprint.ts";
import type { LogState } from "../rules/log.ts";
import type { Failure, Message, MessageKind, MessageState, Reply } from "../rules/message.ts";
import type { DueStatus } from "../rules/message-status.ts";
import type { Options } from "../rules/options.ts";
import type { Run, RunState } from "../rules/run.ts";
import type { SearchTerm } from "../rules/search.ts";
import type { NewSleep, NewWait } from "../rules/wait.ts";

/** A page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** The position of the next page; absent on the last page. */
  readonly next: number | undefined;
}

/**
 * Filters of runs. Every filter that is set must match; a list matches an item with any one of its values.
 */
export interface RunQuery extends PageQuery {
  readonly ids?: readonly string[] | undefined;
  /** The beginnings of ids. */
  readonly idPrefixes?: readonly string[] | undefined;
  readonly urls?: readonly string[] | undefined;
  readonly states?: readonly RunState[] | undefined;
  /**
   * Runs with a step whose message is in one of these states. `DELIVERED` matches a run with a step on
   * record.
   */
  readonly stepStates?: readonly MessageState[] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly createdAt?: number | undefined;
  /** Runs by their ids and the times of their creation. */
  readonly runs?: readonly Pick<Run, "id" | "createdAt">[] | undefined;
  /** The full URLs of runs, or the beginnings of them. */
  readonly urlPrefixes?: readonly string[] | undefined;
  readonly hosts?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly messageIds?: readonly string[] | undefined;
  readonly callerIps?: readonly string[] | undefined;
  readonly flowKeys?: readonly string[] | undefined;
  /** Terms that the run's texts must have, all of them. Only where the search is open. */
  readonly search?: readonly SearchTerm[] | undefined;
  /** Only failed runs whose dead letters are still in the queue. */
  readonly inDeadLetterQueue?: boolean | undefined;
  /** A run that matches any of these filters isn't in the list. */
  readonly without?: Pick<RunQuery, "idPrefixes" | "urls" | "states" | "labels"> | undefined;
}

/** Filters by a message's properties, for every list of messages, log entries or dead letters. */
export interface MessageFilter {
  readonly messageIds?: readonly string[] | undefined;
  readonly urls?: readonly string[] | undefined;
  readonly urlGroups?: readonly string[] | undefined;
  readonly schedules?: readonly string[] | undefined;
  readonly queues?: readonly string[] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly callerIps?: readonly string[] | undefined;
  readonly flowKeys?: readonly string[] | undefined;
}

export interface DeadLetterQuery extends MessageFilter, PageQuery {
  readonly dlqIds?: readonly string[] | undefined;
  /** The groups of errors that differ only in their values. */
  readonly fingerprints?: readonly string[] | undefined;
  readonly runIds?: readonly string[] | undefined;
  readonly runCreatedAt?: number | undefined;
  readonly workflowUrls?: readonly string[] | undefined;
  readonly statuses?: readonly number[] | undefined;
  readonly callbackStates?: readonly CallbackState[] | undefined;
  /** Only the dead letters of runs. */
  readonly ofRuns?: boolean | undefined;
  /** Only the dead letters of messages that belong to no run. */
  readonly ofMessages?: boolean | undefined;
}

/** Filters of the log. */
export interface LogQuery extends MessageFilter, PageQuery {
  readonly hosts?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly states?: readonly LogState[] | undefined;
}

/** Filters of messages that haven't ended, with the rule of {@link RunQuery}. */
export interface MessageQuery extends MessageFilter, PageQuery {
  readonly hosts?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
}

/** The part of a list that a page shows. */
export interface PageQuery {
  /** Milliseconds since 1970, inclusive. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly count: number;
  /** {@link Page.next} of the previous page. */
  readonly before?: number | undefined;
  /** The list begins with the earliest item, not with the latest. */
  readonly earliestFirst?: boolean | undefined;
}

/** A message with its run and its entry. */
export interface StoredMessage {
  readonly message: Message;
  readonly run: Run | undefined;
  /** A step's record, or a run's payload. */
  readonly entry: Uint8Array | undefined;
}

/** One change of a message's state. */
export interface LogEntry {
  readonly at: number;
  readonly state: LogState;
  readonly message: Message;
  readonly run: Run | undefined;
  /** The message's body. */
  readonly body: Uint8Array | undefined;
  /** The failed attempt. */
  readonly failure: Failure | undefined;
  /** When the next attempt begins, in milliseconds since 1970. */
  readonly nextDelivery: number | undefined;
}

/** A run with everything that its log shows. */
export interface RunLog {
  readonly run: Run;
  /** Its entries in the order of the history, by their keys. */
  readonly entries: ReadonlyMap<string, RecordedEntry>;
  /** Its messages that are pending, or have failed or been cancelled. */
  readonly messages: readonly PendingMessage[];
  readonly failure: DeadLetter | undefined;
  /** The report of its cancellation. */
  readonly cancel: CallbackReport | undefined;
  /** The rollbacks of its steps. */
  readonly rollbacks: readonly LoggedRollback[];
  /** The messages of its calls, by their ids. */
  readonly calls: ReadonlyMap<string, Message>;
  /** Its waits, ended ones included, by the keys of their records. */
  readonly waits: ReadonlyMap<string, LoggedWait>;
  /** Its sleeps that the endpoint asked for inline, ended ones included, by the keys of their records. */
  readonly sleeps: ReadonlyMap<string, LoggedSleep>;
  /** The runs that it has invoked, by the keys of the records of their ends. */
  readonly children: ReadonlyMap<string, Child>;
}

export interface RecordedEntry extends HistoryEntry {
  /** Its place in the history, from 1. */
  readonly position: number;
  /** The entry's key, unique within its run. */
  readonly key: string;
  readonly createdAt: number;
  /** The number of the lease under which an invocation appended it; undefined for every other entry. */
  readonly lease: number | undefined;
}

/** A rollback, with the time when it was recorded, in milliseconds since 1970. */
export interface LoggedRollback extends RollbackRecord {
  /** Absent where an earlier version of the engine recorded it. */
  readonly time?: number;
}

/** A sleep of a run that its endpoint runs inline. */
export interface LoggedSleep {
  readonly sleep: NewSleep;
  /** True until the sleep or its run ends. */
  readonly open: boolean;
  readonly createdAt: number;
}

export interface LoggedWait {
  readonly wait: NewWait;
  /** True until its event comes, it times out, or its run ends. */
  readonly open: boolean;
  readonly createdAt: number;
}

export interface Child {
  readonly run: Run;
  readonly payload: Uint8Array;
}

export interface PendingMessage {
  readonly message: Message;
  readonly failures: readonly Failure[];
}

export interface DeadLetter {
  readonly dlqId: string;
  /** Names the group of errors that differ only in their values. */
  readonly fingerprint: string | undefined;
  readonly createdAt: number;
  readonly message: Message;
  readonly run: Run | undefined;
  /** The message's body: a step's record, or a run's payload. */
  readonly body: Uint8Array | undefined;
  readonly failure: Failure;
  readonly callback: CallbackReport | undefined;
  /** The rollbacks of its run's steps. */
  readonly rollbacks: readonly LoggedRollback[];
  /** True after the dead letter left the queue: only the run's log still shows it. */
  readonly removed: boolean;
}

/** Names one run. */
export interface RunChoice {
  readonly id: string;
  /** When the run was created, in milliseconds since 1970. By default the newest run of the id. */
  readonly createdAt?: number | undefined;
}

/** A run in a list that shows no steps. */
export interface RunSummary {
  readonly run: Run;
  /** The number of steps with a result on record. */
  readonly steps: number;
  /** The failure of a failed run. */
  readonly failure: Failure | undefined;
}

/** A workflow that has had a run. */
export interface KnownWorkflow {
  readonly url: string;
  /** When its newest run was created, in milliseconds since 1970. */
  readonly lastAt: number;
}

/** The number of runs in each state. */
export type RunCounts = Readonly<Record<RunState, number>>;

/** An action on all runs that match a filter. */
export type BulkAction = "cancel" | "resume" | "restart";

/** The part of an action on many runs that one transaction did. */
export interface BulkResult {
  readonly changed: number;
  /** The position to continue at; absent when no run is left. */
  readonly next: number | undefined;
}

/** Dead letters with errors that differ only in their values. Times are milliseconds since 1970. */
export interface DeadLetterGroup extends ErrorGroup {
  readonly url: string;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** The latest dead letter. */
  readonly dlqId: string;
  /** The run of the latest dead letter. */
  readonly runId: string | undefined;
}

/** Filters of steps that wait for events, with the rule of {@link RunQuery}. */
export interface WaitQuery {
  readonly eventIds?: readonly string[] | undefined;
  readonly runIds?: readonly string[] | undefined;
  readonly urls?: readonly string[] | undefined;
  readonly count: number;
  readonly before?: number | undefined;
}

/** A step that waits for an event, or for a request to its webhook. */
export interface OpenWait {
  readonly eventId: string;
  readonly stepName: string;
  readonly isWebhook: boolean;
  readonly run: Pick<Run, "id" | "url" | "createdAt">;
  readonly createdAt: number;
  readonly deadline: number;
}

/** Filters of messages that aren't at their end, with the rule of {@link RunQuery}. */
export interface PendingQuery {
  readonly queues?: readonly string[] | undefined;
  readonly flowKeys?: readonly string[] | undefined;
  readonly statuses?: readonly DueStatus[] | undefined;
  readonly runIds?: readonly string[] | undefined;
  readonly count: number;
  readonly after?: number | undefined;
}

/** A message that isn't at its end. */
export interface UnfinishedMessage {
  readonly id: string;
  readonly kind: MessageKind;
  readonly url: string;
  readonly status: DueStatus;
  /** When its next attempt is due, or was due before it was held back; during an attempt, the end of its lease. */
  readonly dueAt: number | undefined;
  /** The number of the next attempt, or of the one in progress. */
  readonly attempt: number;
  readonly maxRetries: number;
  readonly queue: string | undefined;
  readonly flowKey: string | undefined;
  readonly run: Pick<Run, "id" | "createdAt"> | undefined;
}

/** Filters of the audit log, with the rule of {@link RunQuery}. */
export interface AuditQuery {
  readonly actors?: readonly string[] | undefined;
  readonly persons?: readonly string[] | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly targets?: readonly string[] | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly count: number;
  readonly before?: number | undefined;
}

/** A request that has changed something. */
export interface AuditEntry {
  readonly at: number;
  /** The sender, by a name that reveals nothing of its token. */
  readonly actor: string;
  /** The person, as the request names them: several may use one token. */
  readonly person?: string | undefined;
  /** The route: its verb and its path. */
  readonly action: string;
  /** The object that the request names: its id, or its query. */
  readonly target: string;
  readonly callerIp: string;
}

/** Changes of the history with which a resumed or restarted run begins. */
export interface HistoryEdits {
  /** Replaces the payload. */
  readonly payload?: Uint8Array | undefined;
  /** Replaces results on record, as JSON strings, by the ids of their steps. */
  readonly results: ReadonlyMap<number, string>;
}

/** A request to resume or restart failed runs. */
export interface ResumeRequest {
  readonly kind: "resume" | "restart";
  /** The options that change. */
  readonly options: Options;
  /** Milliseconds that the new run may take; `undefined` leaves the limit unchanged. */
  readonly lifetime?: number | undefined;
  readonly edits?: HistoryEdits | undefined;
}

export interface ResumedRuns {
  readonly runs: readonly Pick<Run, "id" | "url" | "createdAt">[];
  readonly next: number | undefined;
}

/** The new messages of retried dead letters. */
export interface RetriedMessages {
  readonly messages: readonly Pick<Message, "id" | "url">[];
  readonly next: number | undefined;
}

export interface CanceledMessages {
  readonly canceled: number;
  /** The position to continue at; absent when none is left. */
  readonly next: number | undefined;
}

export interface RemovedDeadLetters {
  readonly removed: number;
  readonly next: number | undefined;
}

/** The message that reports a failure, with its state. */
export interface CallbackReport {
  readonly message: Message;
  readonly state: CallbackState | "NONE";
  /** The last answer, once the message has ended. */
  readonly reply: Reply | undefined;
  readonly failures: readonly Failure[];
}

export type CallbackState =
  | "CALLBACK_INPROGRESS"
  | "CALLBACK_SUCCESS"
  | "CALLBACK_FAIL"
  | "CALLBACK_CANCELED";

/**
 * The state of a report by the state of its message. `NONE`: the endpoint that got it has no failure
 * function.
 */
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
