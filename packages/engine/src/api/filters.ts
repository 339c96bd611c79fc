import { mustBe } from "@perdure/core/protocol";
import { isObject, mustBeKind } from "../rules/check-options.ts";
import type { LogState } from "../rules/log.ts";
import type { RunState } from "../rules/run.ts";
import type { CallbackState } from "../store/lists.ts";

/** One value, or a list of values of which one must match. */
export type OneOrMore<Value> = Value | readonly Value[];

/** A page of a list. */
export interface Page {
  /** The most entries of the page. */
  readonly count?: number;
  /** The `cursor` of the previous page. */
  readonly cursor?: string;
}

/** A period, with both ends inclusive: milliseconds since 1970 or a `Date`. */
export interface Dates {
  /** The start of the period. */
  readonly fromDate?: number | Date;
  /** The end of the period. */
  readonly toDate?: number | Date;
}

/** Filters of all lists of messages. An entry must match every filter. */
export interface MessageFilters extends Dates {
  /** IP address of the client that published. */
  readonly callerIp?: OneOrMore<string>;
  /** Key of the flow control. */
  readonly flowControlKey?: OneOrMore<string>;
  /** A label of the message. */
  readonly label?: OneOrMore<string>;
  /** Name of the queue. */
  readonly queueName?: OneOrMore<string>;
  /** The schedule that made the message. */
  readonly scheduleId?: OneOrMore<string>;
  /** Name of the URL group that the message was published to. */
  readonly urlGroup?: OneOrMore<string>;
  /** The whole URL of the destination. */
  readonly url?: OneOrMore<string>;
}

/** A part of the destination's URL. */
export interface Places {
  /** Host with its port. */
  readonly host?: OneOrMore<string>;
  /** Path without its query. */
  readonly path?: OneOrMore<string>;
}

/** The order of a list in time. */
export interface Order {
  /** `latestFirst` by default. */
  readonly order?: "latestFirst" | "earliestFirst";
}

/** Filters of the log of messages. */
export interface LogFilters extends MessageFilters, Places, Order, Page {
  /** Id of the message. */
  readonly messageId?: OneOrMore<string>;
  /** The state that the message changed to. */
  readonly state?: OneOrMore<LogState | "IN_PROGRESS" | "CANCELED">;
}

/** Filters of runs. */
export interface RunFilters extends Dates, Places, Page {
  /** IP address of the client that started the run. */
  readonly callerIp?: OneOrMore<string>;
  /** Key of the run's flow control. */
  readonly flowControlKey?: OneOrMore<string>;
  /** A label of the run. */
  readonly label?: OneOrMore<string>;
  /** Id of a delivery of the run. */
  readonly messageId?: OneOrMore<string>;
  /** State of the run, or of one of its steps. */
  readonly state?: OneOrMore<RunState | `STEP_${"PROGRESS" | "SUCCESS" | "RETRY" | "FAILED" | "CANCELED"}`>;
  /** Cuts each body to this number of bytes; -1 leaves bodies out. */
  readonly trimBody?: number;
  /** Time of the run's creation in milliseconds since 1970, to choose among several runs with one id. */
  readonly workflowCreatedAt?: number | Date;
  /** Id of the run. */
  readonly workflowRunId?: OneOrMore<string>;
  /** The whole URL of the endpoint. */
  readonly workflowUrl?: OneOrMore<string>;
}

/** Filters of runs without their steps. A run must match every filter, and none of those that exclude. */
export interface RunSummaryFilters extends Dates {
  /** IP address of the client that started the run. */
  readonly callerIp?: OneOrMore<string>;
  /** Leaves out runs whose ids begin with this string. */
  readonly excludeIdPrefix?: OneOrMore<string>;
  /** Leaves out runs with this label. */
  readonly excludeLabel?: OneOrMore<string>;
  /** Leaves out runs in this state. */
  readonly excludeState?: OneOrMore<RunState>;
  /** Leaves out runs of this endpoint. */
  readonly excludeWorkflowUrl?: OneOrMore<string>;
  /** Key of the run's flow control. */
  readonly flowControlKey?: OneOrMore<string>;
  /** The beginning of the run's id. */
  readonly idPrefix?: OneOrMore<string>;
  /** A label of the run. */
  readonly label?: OneOrMore<string>;
  /** Words that the run's payload, step names, results and errors have, all of them. */
  readonly search?: string;
  /** State of the run. */
  readonly state?: OneOrMore<RunState>;
  /** Id of the run. */
  readonly workflowRunId?: OneOrMore<string>;
  /** The whole URL of the endpoint. */
  readonly workflowUrl?: OneOrMore<string>;
}

/** Filters of runs to cancel. */
export interface CancelRunFilters extends Dates, Places {
  /** IP address of the client that started the run. */
  readonly callerIp?: OneOrMore<string>;
  /** Key of the run's flow control. */
  readonly flowControlKey?: OneOrMore<string>;
  /** A label of the run. */
  readonly label?: OneOrMore<string>;
  /** Ids of runs. */
  readonly workflowRunIds?: OneOrMore<string>;
  /** The whole URL of the endpoint. */
  readonly workflowUrl?: OneOrMore<string>;
}

/** Filters of messages to cancel. */
export interface CancelMessageFilters extends MessageFilters, Places {
  /** Ids of messages. With them, the engine ignores other filters. */
  readonly messageIds?: OneOrMore<string>;
}

/** Filters of dead letters. */
export interface DeadLetterFilters extends MessageFilters {
  /** Ids of dead letters. With them, the engine ignores other filters. */
  readonly dlqIds?: OneOrMore<string>;
  /** State of the failure function of the run. */
  readonly failureFunctionState?: OneOrMore<CallbackState>;
  /** The group of errors that differ only in their values: its `fingerprint`. */
  readonly fingerprint?: OneOrMore<string>;
  /** Id of the message that failed. */
  readonly messageId?: OneOrMore<string>;
  /** Status of the last answer; 0 if there was no answer. */
  readonly responseStatus?: OneOrMore<number>;
  /** `workflow`: only dead letters of runs. */
  readonly source?: "workflow";
  /** Time of the run's creation in milliseconds since 1970, to choose among several runs with one id. */
  readonly workflowCreatedAt?: number | Date;
  /** Id of the run. */
  readonly workflowRunId?: OneOrMore<string>;
  /** The whole URL of the endpoint. */
  readonly workflowUrl?: OneOrMore<string>;
}

/** Selects everything that matches at least one filter, or everything. */
export type Selection<Filters> =
  | (Filters & {
      /** Absent beside a filter. */
      readonly all?: never;
    })
  | {
      /** Selects everything. */
      readonly all: true;
    };

/** The options with another name on the wire, by that name. */
export const PARAMETERS: ReadonlyMap<string, string> = new Map([["topicName", "urlGroup"]]);

type Query<Filters> = Omit<Filters, "urlGroup"> & { readonly topicName?: OneOrMore<string> };

/** Converts filters to the names of the wire. */
export function toQuery<Filters extends { readonly urlGroup?: OneOrMore<string> }>(
  filters: Filters,
): Query<Filters> {
  checkFilters(filters);
  const { urlGroup, ...rest } = filters;
  return urlGroup === undefined ? rest : { ...rest, topicName: urlGroup };
}

/** @throws TypeError for a value without properties, which would be no filter */
export function checkFilters(filters: unknown): void {
  if (!isObject(filters)) throw mustBeKind("The filters", "an object", filters);
}

/** The options of a selection that select nothing. */
const OTHERS: ReadonlySet<string> = new Set(["count", "cursor", "order", "dryRun"]);

/**
 * Reads the filters of a selection.
 *
 * @throws TypeError for a selection without a filter, which would select everything by mistake, and for what isn't a selection
 */
export function selected<Filters extends object>(
  owner: string,
  selection: Selection<Filters> & object,
): Filters {
  if (!isObject(selection))
    throw mustBeKind(`The argument of ${owner}`, "an id, filters or { all: true }", selection);
  const { all, ...filters } = selection as Filters & { readonly all?: unknown };
  if (all !== undefined && typeof all !== "boolean") throw mustBe("all", "true or false", all);
  const given = Object.entries(filters).filter(([name, value]) => value !== undefined && !OTHERS.has(name));
  if (all === true ? given.length > 0 : given.length === 0) {
    throw new TypeError(`Pass ${owner} a filter, or { all: true }.`);
  }
  return filters as unknown as Filters;
}
