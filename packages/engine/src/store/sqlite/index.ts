import type { HistoryEntry } from "@perdure/core/protocol";
import type { Intake } from "../../domain/intake.ts";
import type { Options } from "../../domain/options.ts";
import type { Settlement } from "../../domain/outcome.ts";
import type { QueueLimits } from "../../domain/queue.ts";
import type { Expiry } from "../../domain/retention.ts";
import type { Run } from "../../domain/run.ts";
import type { Topic, TopicChange, TopicLimits } from "../../domain/topic.ts";
import type { WaitIntake } from "../../domain/wait.ts";
import type { Flows, Queues, Schedules } from "../controls.ts";
import type {
  DeadLetter,
  DeadLetterQuery,
  LogEntry,
  LogQuery,
  Page,
  RemovedDeadLetters,
  Retried,
  Revival,
  Revived,
  RunLog,
  RunQuery,
  StoredMessage,
} from "../lists.ts";
import type { CanceledMessages, MessageQuery } from "../publishing.ts";
import type {
  CanceledMessage,
  CanceledRuns,
  ClaimOrder,
  Claims,
  EndedRun,
  HistoryChoice,
  KeptLimits,
  Lease,
  Notice,
  Notified,
  Receipt,
  RunEnd,
  Settled,
  Store,
  Waiting,
  WaitReceipt,
  WebhookState,
} from "../store.ts";
import type { Depths, StateCount } from "../upkeep.ts";
import { accept } from "./accept.ts";
import { cancelMessages } from "./cancel.ts";
import { claim, release, releaseAll, renew } from "./claim.ts";
import { Database } from "./database.ts";
import { removeDeadLetters, repeatReport, repeatRollbacks, retry } from "./dead.ts";
import { depths } from "./depths.ts";
import { cancelMessage, cancelRuns, endRun } from "./end.ts";
import { flowControl } from "./flow-control.ts";
import { history } from "./history.ts";
import { deadLetters, runs } from "./listing.ts";
import { logs } from "./log-list.ts";
import { type Due, latestRun, liveRun } from "./messages.ts";
import { queueControl } from "./queue-control.ts";
import { message } from "./read.ts";
import { revive } from "./revive.ts";
import { scheduleControl } from "./schedules.ts";
import { changeSetting, setting } from "./settings.ts";
import { type Keeping, settle } from "./settle.ts";
import { sweep } from "./sweep.ts";
import { topic, topics, updateTopic } from "./topics.ts";
import { notify, wait, waiters, webhookState } from "./waiting.ts";
import { Writer } from "./writer.ts";

type Limits = Partial<QueueLimits>;

/** What a store keeps. */
export interface SqliteOptions {
  /** Bytes of an answer that the record of each failed attempt keeps. 4 KiB by default. */
  readonly excerptBytes?: number;
}

/**
 * Opens a store in one file, for this process alone.
 *
 * @param file a path, whose folder is created, or `:memory:`
 * @throws StoreUnavailable when another process has it, or it isn't one of ours
 */
export function openSqlite(file: string, options: SqliteOptions = {}): SqliteStore {
  return new SqliteStore(new Database(file), { excerpt: options.excerptBytes ?? 4096 });
}

export class SqliteStore implements Store {
  readonly queues: Queues;
  readonly schedules: Schedules;
  readonly flows: Flows;
  readonly #db: Database;
  readonly #writer: Writer;
  readonly #keeping: Keeping;
  #listener: Due = () => {};
  readonly #due: Due = (dueAt) => this.#listener(dueAt);

  constructor(db: Database, keeping: Keeping) {
    this.#db = db;
    this.#writer = new Writer(db);
    this.#keeping = keeping;
    this.queues = queueControl(db, this.#writer, this.#due);
    this.schedules = scheduleControl(db, this.#writer, this.#due);
    this.flows = flowControl(db, this.#writer, this.#due);
    // The file is ours alone: whoever held these leases is gone. The attempts they were for count as not made.
    releaseAll(db);
  }

  /** Transactions committed so far. */
  get commits(): number {
    return this.#writer.commits;
  }

  accept(intakes: readonly Intake[], limits?: Limits): Promise<Receipt[]> {
    return this.#writer.write(() => accept(this.#db, intakes, this.#due, limits));
  }

  wait(intake: WaitIntake, now: number): Promise<WaitReceipt> {
    return this.#writer.write(() => wait(this.#db, intake, now, this.#due));
  }

  notify(notice: Notice, now: number): Promise<Notified> {
    return this.#writer.write(() => notify(this.#db, notice, now, this.#due));
  }

  async webhookState(runId: string, eventId: string, most: KeptLimits): Promise<WebhookState> {
    return webhookState(this.#db, runId, eventId, most);
  }

  async waiters(eventId: string): Promise<Waiting[]> {
    return waiters(this.#db, eventId);
  }

  claim(order: ClaimOrder): Promise<Claims> {
    return this.#writer.write(() => claim(this.#db, order));
  }

  renew(leases: readonly Lease[], until: number): Promise<Lease[]> {
    return this.#writer.write(() => renew(this.#db, leases, until));
  }

  release(leases: readonly Lease[], now: number): Promise<void> {
    return this.#writer.write(() => release(this.#db, leases, now, this.#due));
  }

  settle(lease: Lease, settlement: Settlement, now: number): Promise<Settled> {
    return this.#writer.write(() => settle(this.#db, lease, settlement, now, this.#keeping, this.#due));
  }

  endRun(runId: string, end: RunEnd, now: number): Promise<EndedRun> {
    return this.#writer.write(() => endRun(this.#db, runId, end, now, this.#due));
  }

  cancelRuns(query: RunQuery, now: number): Promise<CanceledRuns> {
    return this.#writer.write(() => cancelRuns(this.#db, query, now, this.#due));
  }

  cancelMessage(messageId: string, now: number): Promise<CanceledMessage> {
    return this.#writer.write(() => cancelMessage(this.#db, messageId, now, this.#due));
  }

  revive(query: DeadLetterQuery, how: Revival, now: number): Promise<Revived> {
    return this.#writer.write(() => revive(this.#db, query, how, now, this.#due));
  }

  retry(query: DeadLetterQuery, options: Options, now: number, limits?: Limits): Promise<Retried> {
    return this.#writer.write(() => retry(this.#db, query, options, now, this.#due, limits));
  }

  removeDeadLetters(query: DeadLetterQuery): Promise<RemovedDeadLetters> {
    return this.#writer.write(() => removeDeadLetters(this.#db, query));
  }

  repeatRollbacks(dlqId: string, now: number): Promise<Run | undefined> {
    return this.#writer.write(() => repeatRollbacks(this.#db, dlqId, now, this.#due));
  }

  repeatReport(dlqId: string, now: number): Promise<Run | undefined> {
    return this.#writer.write(() => repeatReport(this.#db, dlqId, now, this.#due));
  }

  sweep(expiry: Expiry, limit: number): Promise<boolean> {
    return this.#writer.write(() => sweep(this.#db, expiry, limit));
  }

  async message(messageId: string, since: number): Promise<StoredMessage | undefined> {
    return message(this.#db, messageId, since);
  }

  async logs(query: LogQuery): Promise<Page<LogEntry>> {
    return logs(this.#db, query);
  }

  async history(
    runId: string,
    { ended = false, createdAt }: HistoryChoice = {},
  ): Promise<HistoryEntry[] | undefined> {
    const run = ended ? latestRun(this.#db, runId, createdAt) : liveRun(this.#db, runId);
    return run && history(this.#db, run.key);
  }

  async runs(query: RunQuery): Promise<Page<RunLog>> {
    return runs(this.#db, query);
  }

  async deadLetters(query: DeadLetterQuery): Promise<Page<DeadLetter>> {
    return deadLetters(this.#db, query);
  }

  async setting(name: string): Promise<string | undefined> {
    return setting(this.#db, name);
  }

  changeSetting(name: string, was: string | undefined, value: string): Promise<boolean> {
    return this.#writer.write(() => changeSetting(this.#db, name, was, value));
  }

  async depths(now: number): Promise<Depths> {
    return depths(this.#db, now);
  }

  onStates(listener: (counts: readonly StateCount[]) => void): void {
    this.#db.tally.listen(listener);
  }

  cancelMessages(query: MessageQuery, now: number): Promise<CanceledMessages> {
    return this.#writer.write(() => cancelMessages(this.#db, query, now, this.#due));
  }

  async topics(): Promise<Topic[]> {
    return topics(this.#db);
  }

  async topic(name: string): Promise<Topic | undefined> {
    return topic(this.#db, name);
  }

  updateTopic(
    name: string,
    change: TopicChange,
    limits: TopicLimits,
    now: number,
  ): Promise<Topic | undefined> {
    return this.#writer.write(() => updateTopic(this.#db, name, change, limits, now));
  }

  onDue(listener: (dueAt: number) => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#writer.close();
    this.#db.close();
  }
}
