import { randomUUID } from "node:crypto";
import { checkFunction, mustBe } from "@perdure/core/protocol";
import { deadLetter } from "../queries/dead-letter.ts";
import { historyStart, runHistory } from "../queries/history.ts";
import { message } from "../queries/read.ts";
import { runEnd } from "../queries/run-end.ts";
import { runFacts } from "../queries/run-facts.ts";
import { checkWebhook } from "../queries/webhooks.ts";
import { wholeEntries } from "../queries/whole-entries.ts";
import type { Clock } from "../rules/clock.ts";
import type { EngineEvent } from "../rules/event.ts";
import type { Settlement } from "../rules/settlement.ts";
import type { SharedConfiguration } from "../rules/shared-configuration.ts";
import type { ClaimOrder } from "../store/claim-order.ts";
import type { Claims, Lease, Settled } from "../store/claims.ts";
import type { Driver } from "../store/driver.ts";
import { entryBody, historySlice } from "../store/tables/entries.ts";
import { scheduleOf } from "../store/tables/schedules.ts";
import { withoutWakeUps } from "../store/tx.ts";
import { CommitUnknown } from "../store/unavailable.ts";
import { accept } from "./accept.ts";
import { appendRecords } from "./append-at-once.ts";
import { recordAction } from "./audit.ts";
import { cancelOneMessage } from "./cancel-message.ts";
import { cancelMessages } from "./cancel-messages.ts";
import { cancelRuns } from "./cancel-runs.ts";
import { changeRuns } from "./change-runs.ts";
import { claimMessages } from "./claim-messages.ts";
import { endAtOnce } from "./end-at-once.ts";
import { endRun } from "./end-run.ts";
import { cancelFailureFunction, repeatFailureFunction, repeatFailureFunctions } from "./failure-function.ts";
import { changeFlow, getFlow, waitingForRoom } from "./flow-control.ts";
import { retryRunNow, wakeSleeps } from "./hurry-run.ts";
import { INDEXING } from "./indexing.ts";
import { LISTS } from "./lists.ts";
import { notifyByPath } from "./notify-by-path.ts";
import { notifyEvent } from "./notify-event.ts";
import { type Binding, bindAll, command, type Operation, query, queryOne } from "./operation.ts";
import { deleteQueue, getQueue, pauseQueue, putQueue } from "./queues.ts";
import { leasesOf, releaseLeases } from "./release-leases.ts";
import { removeDeadLetters, removeOneDeadLetter } from "./remove-dead-letters.ts";
import { renewLeases } from "./renew-leases.ts";
import { repeatFailedRollbacks } from "./repeat-failed-rollbacks.ts";
import { resumeRun } from "./resume-run.ts";
import { resumeRuns } from "./resume-runs.ts";
import { retryDeadLetter, retryDeadLetters } from "./retry-dead-letters.ts";
import { createSchedule, deleteSchedule, pauseSchedule } from "./schedules.ts";
import { changeSetting, checkWritable, readSetting } from "./settings.ts";
import { settleDelivery } from "./settle-delivery.ts";
import { startWait } from "./start-wait.ts";
import { sweep } from "./sweep.ts";
import { getUrlGroup, updateUrlGroup } from "./url-groups.ts";

const claimAsOwner: Operation<[order: ClaimOrder], Claims> =
  ({ driver, owner }) =>
  async (order) => {
    for (;;) {
      // The dispatcher looks itself at what comes due by its own claim.
      const claims = await driver.write((tx) => claimMessages(withoutWakeUps(tx), { ...order, owner }));
      if (!claims.busy) return claims;
      await driver.othersCommitted();
    }
  };

const ownLeases: Operation<[], Lease[]> =
  ({ driver, owner }) =>
  () =>
    driver.read((tx) => leasesOf(tx, owner));

const settleLease: Operation<[lease: Lease, settlement: Settlement], Settled> =
  ({ driver, excerptBytes }) =>
  async (lease, settlement) => {
    const settle = async (): Promise<Settled> =>
      (await endAtOnce(driver, lease, settlement))
        ? { kind: "recorded" }
        : driver.write((tx) => settleDelivery(tx, lease, settlement, { excerpt: excerptBytes }));
    try {
      return await settle();
    } catch (error) {
      if (!(error instanceof CommitUnknown)) throw error;
      // If it has happened, the lease holds no longer. If it hasn't, the step would run again when the lease ends.
      return await settle();
    }
  };

/**
 * Every operation on a database, by the name that its metric has. Each is atomic, and durable when its promise resolves:
 * after a crash at any moment it has happened or it hasn't. A new one is a function of a transaction, in a file of its
 * noun, and a line here.
 */
const OPERATIONS = {
  ...LISTS,
  ...INDEXING,

  // Publishing, and what a run's endpoint asks for.
  accept,
  appendInline: appendRecords,
  wait: command(startWait),
  notify: command(notifyEvent),
  notifyByPath: command(notifyByPath),
  checkWebhook: query(checkWebhook),
  endRun: command(endRun),

  // For the dispatcher.
  claim: claimAsOwner,
  entriesOf: query(wholeEntries),
  renew: command(renewLeases),
  release: command(releaseLeases),
  ownLeases,
  settle: settleLease,
  sweep: command(sweep),

  // Messages, runs and their log.
  message: queryOne(message, (id) => `message ${id}`),
  cancelMessage: command(cancelOneMessage),
  cancelMessages: command(cancelMessages),
  history: query(runHistory),
  historyStart: query(historyStart),
  historySlice: query(historySlice),
  entryBody: query(entryBody),
  runFacts: query(runFacts),
  changeRuns: command(changeRuns),
  runEnd: queryOne(runEnd, ({ id }) => `workflow run ${id}`),
  cancelRuns: command(cancelRuns),
  wakeSleeps: command(wakeSleeps),
  retryRunNow: command(retryRunNow),

  // Dead letters.
  deadLetter: query(deadLetter),
  resumeRun: command(resumeRun),
  resumeRuns: command(resumeRuns),
  retry: command(retryDeadLetters),
  retryOne: command(retryDeadLetter),
  repeatReport: command(repeatFailureFunction),
  repeatReports: command(repeatFailureFunctions),
  cancelReport: command(cancelFailureFunction),
  repeatRollbacks: command(repeatFailedRollbacks),
  removeDeadLetter: command(removeOneDeadLetter),
  removeDeadLetters: command(removeDeadLetters),

  urlGroup: queryOne(getUrlGroup, (name) => `url group ${name}`),
  findUrlGroup: query(getUrlGroup),
  updateUrlGroup: command(updateUrlGroup),

  queue: queryOne(getQueue, (name) => `queue ${name}`),
  putQueue: command(putQueue),
  pauseQueue: command(pauseQueue),
  deleteQueue: command(deleteQueue),

  schedule: queryOne(scheduleOf, (id) => `schedule ${id}`),
  createSchedule: command(createSchedule),
  pauseSchedule: command(pauseSchedule),
  deleteSchedule: command(deleteSchedule),

  flow: queryOne(getFlow, (key) => `flow control key ${key}`),
  waitingForRoom: query(waitingForRoom),
  changeFlow: command(changeFlow),

  recordAction: command(recordAction),

  // The engine's own.
  setting: query(readSetting),
  changeSetting: command(changeSetting),
  probe: command(checkWritable),
};

type Operations = {
  [Name in keyof typeof OPERATIONS]: ReturnType<(typeof OPERATIONS)[Name]>;
};

/** The settings of a store. */
export interface StoreSettings {
  /** Bytes of an answer that the record of each failed attempt keeps, 4 KiB by default. JSON is shortened and stays JSON. */
  readonly excerptBytes?: number;
  /** Called with a warning, such as that of a file that other users of the machine can read. `console.warn` by default. */
  readonly warn?: (warning: string) => void;
}

/** @throws TypeError that names the invalid setting */
export function checkStoreSettings({ excerptBytes = 0, warn }: StoreSettings): void {
  if (!Number.isSafeInteger(excerptBytes) || excerptBytes < 0)
    throw mustBe("excerptBytes", "a whole number from 0 on", excerptBytes);
  if (warn !== undefined) checkFunction("warn", warn);
}

/** An open database with the engine's operations on it. `openSqlite` makes one. */
export interface Store
  extends Operations,
    Omit<Driver, "write" | "read" | "list" | "appendAtOnce" | "endAtOnce" | "othersCommitted"> {
  /** The clock that all engines of the database share. An engine without a clock option uses it. */
  readonly clock?: Clock;
  /**
   * Tells the other engines of the database this engine's configuration, and warns of what is different in theirs. Absent when
   * one engine has the database for itself.
   */
  announce?(configuration: SharedConfiguration): Promise<void>;
  /**
   * Tells the other engines of the database, soon, that the run of an event has changed. The events of {@link Driver.onEvent} need no
   * call. Absent when one engine has the database for itself.
   */
  tellOthers?(event: EngineEvent): void;
}

/** Binds the operations to a database. @param owner the name of the engine in its leases */
export function createStore(
  driver: Driver,
  { excerptBytes = 4096 }: StoreSettings = {},
  owner: string = randomUUID(),
): Store {
  const binding: Binding = { driver, owner, excerptBytes };
  return {
    ...bindAll(OPERATIONS, binding),
    limitLists: (ms) => driver.limitLists(ms),
    openSearch: () => driver.openSearch(),
    dropSearch: () => driver.dropSearch(),
    useClock: (now) => driver.useClock(now),
    onDue: (listener) => driver.onDue(listener),
    onEvent: (listener) => driver.onEvent(listener),
    onStates: (listener) => driver.onStates(listener),
    onRunsChanged: (listener) => driver.onRunsChanged(listener),
    backup: () => driver.backup(),
    close: () => driver.close(),
  };
}
