import { randomUUID } from "node:crypto";
import type { HistoryEntry } from "@perdure/core/protocol";
import { cancelMessage } from "./commands/cancel-message.ts";
import { cancelMessages } from "./commands/cancel-messages.ts";
import { cancelRuns } from "./commands/cancel-runs.ts";
import { claimMessages } from "./commands/claim-messages.ts";
import { endRun } from "./commands/end-run.ts";
import { flowControl } from "./commands/flow-control.ts";
import { notifyEvent } from "./commands/notify-event.ts";
import { publish } from "./commands/publish.ts";
import { queueControl } from "./commands/queues.ts";
import { releaseLeases } from "./commands/release-leases.ts";
import { removeDeadLetters } from "./commands/remove-dead-letters.ts";
import { renewLeases } from "./commands/renew-leases.ts";
import { repeatReport } from "./commands/repeat-report.ts";
import { repeatRollbacks } from "./commands/repeat-rollbacks.ts";
import { resumeRuns } from "./commands/resume-runs.ts";
import { retryDeadLetters } from "./commands/retry-dead-letters.ts";
import { scheduleControl } from "./commands/schedules.ts";
import { changeSetting, checkWritable, readSetting } from "./commands/settings.ts";
import { type SettleSettings, settleDelivery } from "./commands/settle-delivery.ts";
import { startWait } from "./commands/start-wait.ts";
import { sweep } from "./commands/sweep.ts";
import { getUrlGroup, listUrlGroups, updateUrlGroup } from "./commands/url-groups.ts";
import { backlog } from "./queries/backlog.ts";
import { deadLetters, runs } from "./queries/lists.ts";
import { logs } from "./queries/logs.ts";
import { message } from "./queries/read.ts";
import { waiters } from "./queries/waiters.ts";
import { webhookState } from "./queries/webhook-state.ts";
import { wholeEntries } from "./queries/whole-entries.ts";
import type { Command } from "./rules/command.ts";
import type { Observer } from "./rules/event.ts";
import type { Options } from "./rules/options.ts";
import type { QueueLimits } from "./rules/queue.ts";
import type { Expiry } from "./rules/retention.ts";
import type { Run } from "./rules/run.ts";
import type { Settlement } from "./rules/settlement.ts";
import type { UrlGroup, UrlGroupChange, UrlGroupLimits } from "./rules/url-group.ts";
import type { NewWait } from "./rules/wait.ts";
import type { Flows, Queues, Schedules } from "./store/controls.ts";
import type { Driver } from "./store/driver.ts";
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
} from "./store/lists.ts";
import type { Backlog, Backup, StateCount } from "./store/maintenance.ts";
import type { CanceledMessages, MessageQuery } from "./store/publishing.ts";
import type {
  Claim,
  ClaimOrder,
  Claims,
  EndedRun,
  EventNotification,
  HistoryChoice,
  Lease,
  NotifyResult,
  Receipt,
  RunEnd,
  Settled,
  Store,
  Waiting,
  WaitReceipt,
  WebhookLimits,
  WebhookState,
} from "./store/store.ts";
import { history } from "./store/tables/entries.ts";
import { latestRun, liveRun } from "./store/tables/runs.ts";
import { withoutWakeUps } from "./store/tx.ts";

type Limits = Partial<QueueLimits>;

/** What a store keeps, and where its warnings go. */
export interface StoreSettings {
  /** Bytes of an answer that the record of each failed attempt keeps. 4 KiB by default. */
  readonly excerptBytes?: number;
  /** Called with a warning, such as that of a file that other users of the machine can read. `console.warn` by default. */
  readonly warn?: (warning: string) => void;
}

/** The engine's rules on a database. */
export class SqlStore implements Store {
  readonly queues: Queues;
  readonly schedules: Schedules;
  readonly flows: Flows;
  readonly #driver: Driver;
  readonly #settings: SettleSettings;
  /** The owner of the leases that this engine holds. */
  readonly #owner: string = randomUUID();

  constructor(driver: Driver, { excerptBytes = 4096 }: StoreSettings = {}) {
    this.#driver = driver;
    this.#settings = { excerpt: excerptBytes };
    this.queues = queueControl(driver);
    this.schedules = scheduleControl(driver);
    this.flows = flowControl(driver);
  }

  accept(commands: readonly Command[], limits?: Limits): Promise<Receipt[]> {
    return this.#driver.write((tx) => publish(tx, commands, limits));
  }

  wait(command: NewWait): Promise<WaitReceipt> {
    return this.#driver.write((tx) => startWait(tx, command));
  }

  notify(notification: EventNotification): Promise<NotifyResult> {
    return this.#driver.write((tx) => notifyEvent(tx, notification));
  }

  webhookState(runId: string, eventId: string, most: WebhookLimits): Promise<WebhookState> {
    return this.#driver.read((tx) => webhookState(tx, runId, eventId, most));
  }

  waiters(eventId: string): Promise<Waiting[]> {
    return this.#driver.read((tx) => waiters(tx, eventId));
  }

  claim(order: ClaimOrder): Promise<Claims> {
    return this.#driver.write((tx) => claimMessages(withoutWakeUps(tx), { ...order, owner: this.#owner }));
  }

  entriesOf(claim: Claim): Promise<HistoryEntry[]> {
    return this.#driver.read((tx) => wholeEntries(tx, claim));
  }

  renew(leases: readonly Lease[], until: number): Promise<Lease[]> {
    return this.#driver.write((tx) => renewLeases(tx, leases, until));
  }

  release(leases: readonly Lease[]): Promise<void> {
    return this.#driver.write((tx) => releaseLeases(tx, leases));
  }

  settle(lease: Lease, settlement: Settlement): Promise<Settled> {
    return this.#driver.write((tx) => settleDelivery(tx, lease, settlement, this.#settings));
  }

  endRun(runId: string, end: RunEnd): Promise<EndedRun> {
    return this.#driver.write((tx) => endRun(tx, runId, end));
  }

  cancelRuns(query: RunQuery): Promise<number> {
    return this.#driver.write((tx) => cancelRuns(tx, query));
  }

  cancelMessage(messageId: string): Promise<boolean> {
    return this.#driver.write((tx) => cancelMessage(tx, messageId));
  }

  resumeRuns(query: DeadLetterQuery, how: ResumeRequest): Promise<ResumedRuns> {
    return this.#driver.write((tx) => resumeRuns(tx, query, how));
  }

  retry(query: DeadLetterQuery, options: Options, limits?: Limits): Promise<RetriedMessages> {
    return this.#driver.write((tx) => retryDeadLetters(tx, query, options, limits));
  }

  removeDeadLetters(query: DeadLetterQuery): Promise<RemovedDeadLetters> {
    return this.#driver.write((tx) => removeDeadLetters(tx, query));
  }

  repeatRollbacks(dlqId: string): Promise<Run | undefined> {
    return this.#driver.write((tx) => repeatRollbacks(tx, dlqId));
  }

  repeatReport(dlqId: string): Promise<Run | undefined> {
    return this.#driver.write((tx) => repeatReport(tx, dlqId));
  }

  sweep(expiry: Expiry, limit: number): Promise<boolean> {
    return this.#driver.write((tx) => sweep(tx, expiry, limit));
  }

  message(messageId: string, since: number): Promise<StoredMessage | undefined> {
    return this.#driver.read((tx) => message(tx, messageId, since));
  }

  logs(query: LogQuery): Promise<Page<LogEntry>> {
    return this.#driver.read((tx) => logs(tx, query));
  }

  history(
    runId: string,
    { ended = false, createdAt }: HistoryChoice = {},
  ): Promise<HistoryEntry[] | undefined> {
    return this.#driver.read(async (tx) => {
      const run = ended ? await latestRun(tx, runId, createdAt) : await liveRun(tx, runId);
      return run && history(tx, run.key);
    });
  }

  runs(query: RunQuery): Promise<Page<RunLog>> {
    return this.#driver.read((tx) => runs(tx, query));
  }

  deadLetters(query: DeadLetterQuery): Promise<Page<DeadLetter>> {
    return this.#driver.read((tx) => deadLetters(tx, query));
  }

  setting(name: string): Promise<string | undefined> {
    return this.#driver.read((tx) => readSetting(tx, name));
  }

  changeSetting(name: string, was: string | undefined, value: string): Promise<boolean> {
    return this.#driver.write((tx) => changeSetting(tx, name, was, value));
  }

  backup(): Promise<Backup> {
    return this.#driver.backup();
  }

  probe(): Promise<void> {
    return this.#driver.write(checkWritable);
  }

  backlog(): Promise<Backlog> {
    return this.#driver.read((tx) => backlog(tx));
  }

  onStates(listener: (counts: readonly StateCount[]) => void): void {
    this.#driver.onStates(listener);
  }

  cancelMessages(query: MessageQuery): Promise<CanceledMessages> {
    return this.#driver.write((tx) => cancelMessages(tx, query));
  }

  urlGroups(): Promise<UrlGroup[]> {
    return this.#driver.read((tx) => listUrlGroups(tx));
  }

  urlGroup(name: string): Promise<UrlGroup | undefined> {
    return this.#driver.read((tx) => getUrlGroup(tx, name));
  }

  updateUrlGroup(
    name: string,
    change: UrlGroupChange,
    limits: UrlGroupLimits,
  ): Promise<UrlGroup | undefined> {
    return this.#driver.write((tx) => updateUrlGroup(tx, name, change, limits));
  }

  onDue(listener: (dueAt: number) => void): void {
    this.#driver.onDue(listener);
  }

  onEvent(listener: Observer): void {
    this.#driver.onEvent(listener);
  }

  useClock(now: () => number): void {
    this.#driver.useClock(now);
  }

  close(): Promise<void> {
    return this.#driver.close();
  }
}
