import { randomUUID } from "node:crypto";
import { backlog } from "../queries/backlog.ts";
import { deadLetter } from "../queries/dead-letter.ts";
import { runHistory } from "../queries/history.ts";
import { deadLetters, runs } from "../queries/lists.ts";
import { logs } from "../queries/logs.ts";
import { message } from "../queries/read.ts";
import { runEnd } from "../queries/run-end.ts";
import type { Settlement } from "../rules/settlement.ts";
import type { ClaimOrder } from "../store/claim-order.ts";
import type { Claims, Lease, Settled } from "../store/claims.ts";
import type { Driver } from "../store/driver.ts";
import { withoutWakeUps } from "../store/tx.ts";
import { appendInline } from "./append-inline.ts";
import { cancelMessage, cancelRuns, endRun } from "./cancel.ts";
import { cancelMessages } from "./cancel-messages.ts";
import { claim, release, renew, wholeEntries } from "./claim.ts";
import { removeDeadLetters, retry } from "./dead-letters.ts";
import { cancelFailureFunction, repeatFailureFunction, repeatFailureFunctions } from "./failure-function.ts";
import { changeFlow, getFlow, listFlows, waitingForRoom } from "./flow-control.ts";
import { notifyByPath } from "./notify-by-path.ts";
import { type Binding, command, type Operation, query } from "./operation.ts";
import { publish } from "./publish.ts";
import { deleteQueue, getQueue, listQueues, pauseQueue, putQueue } from "./queues.ts";
import { repeatFailedRollbacks } from "./repeat-failed-rollbacks.ts";
import { resumeRuns } from "./resume.ts";
import { resumeRun } from "./resume-run.ts";
import { createSchedule, deleteSchedule, getSchedule, listSchedules, pauseSchedule } from "./schedules.ts";
import { changeSetting, probe, setting } from "./settings.ts";
import { settle } from "./settle.ts";
import { sweep } from "./sweep.ts";
import { getUrlGroup, listUrlGroups, updateUrlGroup } from "./url-groups.ts";
import { notify, wait, waiters, webhookState } from "./waits.ts";

const claimAsOwner: Operation<[order: ClaimOrder], Claims> =
  ({ driver, owner }) =>
  (order) =>
    // The dispatcher looks itself at what comes due by its own claim.
    driver.write((tx) => claim(withoutWakeUps(tx), { ...order, owner }));

const settleLease: Operation<[lease: Lease, settlement: Settlement], Settled> =
  ({ driver, excerptBytes }) =>
  (lease, settlement) =>
    driver.write((tx) => settle(tx, lease, settlement, { excerpt: excerptBytes }));

/**
 * Every operation on a database, by the name that its metric has. Each is atomic, and durable when its promise resolves:
 * after a crash at any moment it has happened or it hasn't. A new one is a function of a transaction, in a file of its
 * noun, and a line here.
 */
const OPERATIONS = {
  // Publishing, and what a run's endpoint asks for.
  accept: command(publish),
  appendInline: command(appendInline),
  wait: command(wait),
  notify: command(notify),
  notifyByPath: command(notifyByPath),
  waiters: query(waiters),
  webhookState: query(webhookState),
  endRun: command(endRun),

  // What the dispatcher asks for.
  claim: claimAsOwner,
  entriesOf: query(wholeEntries),
  renew: command(renew),
  release: command(release),
  settle: settleLease,
  sweep: command(sweep),

  // Messages, runs and their log.
  message: query(message),
  cancelMessage: command(cancelMessage),
  cancelMessages: command(cancelMessages),
  history: query(runHistory),
  runs: query(runs),
  runEnd: query(runEnd),
  cancelRuns: command(cancelRuns),
  logs: query(logs),

  // Dead letters.
  deadLetter: query(deadLetter),
  deadLetters: query(deadLetters),
  resumeRun: command(resumeRun),
  resumeRuns: command(resumeRuns),
  retry: command(retry),
  repeatReport: command(repeatFailureFunction),
  repeatReports: command(repeatFailureFunctions),
  cancelReport: command(cancelFailureFunction),
  repeatRollbacks: command(repeatFailedRollbacks),
  removeDeadLetters: command(removeDeadLetters),

  urlGroups: query(listUrlGroups),
  urlGroup: query(getUrlGroup),
  updateUrlGroup: command(updateUrlGroup),

  queues: query(listQueues),
  queue: query(getQueue),
  putQueue: command(putQueue),
  pauseQueue: command(pauseQueue),
  deleteQueue: command(deleteQueue),

  schedules: query(listSchedules),
  schedule: query(getSchedule),
  createSchedule: command(createSchedule),
  pauseSchedule: command(pauseSchedule),
  deleteSchedule: command(deleteSchedule),

  flows: query(listFlows),
  flow: query(getFlow),
  waitingForRoom: query(waitingForRoom),
  changeFlow: command(changeFlow),

  // The engine's own.
  setting: query(setting),
  changeSetting: command(changeSetting),
  probe: command(probe),
  backlog: query(backlog),
};

type Operations = {
  [Name in keyof typeof OPERATIONS]: ReturnType<(typeof OPERATIONS)[Name]>;
};

/** How much of an answer a store keeps, and where it writes warnings. */
export interface StoreSettings {
  /** Bytes of an answer that the record of each failed attempt keeps. 4 KiB by default. */
  readonly excerptBytes?: number;
  /** Called with a warning, such as that of a file that other users of the machine can read. `console.warn` by default. */
  readonly warn?: (warning: string) => void;
}

/** An open database with the engine's operations on it. `openSqlite` makes one. */
export interface Store extends Operations, Omit<Driver, "write" | "read"> {}

/** Binds the operations to a database. */
export function createStore(driver: Driver, { excerptBytes = 4096 }: StoreSettings = {}): Store {
  const binding: Binding = { driver, owner: randomUUID(), excerptBytes };
  const bound = Object.entries(OPERATIONS).map(([name, bind]) => [name, bind(binding)] as const);
  return {
    ...(Object.fromEntries(bound) as Operations),
    useClock: (now) => driver.useClock(now),
    onDue: (listener) => driver.onDue(listener),
    onEvent: (listener) => driver.onEvent(listener),
    onStates: (listener) => driver.onStates(listener),
    backup: () => driver.backup(),
    close: () => driver.close(),
  };
}
