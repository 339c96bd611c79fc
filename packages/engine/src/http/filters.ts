import type { MessageFilter } from "../store/lists.ts";
import { list, oneOf, paths, time, urls } from "./parameters.ts";
import type { Parameter, Values } from "./route.ts";

/** The start and the end of a period, both inclusive. */
export const DATES: Record<"fromDate" | "toDate", Parameter<number | undefined>> = {
  fromDate: time,
  toDate: time,
};

/** Filters by the destination's host and path. */
export const PLACES: Record<"host" | "path", Parameter<string[] | undefined>> = { host: list, path: paths };

/**
 * Filters of all lists of messages. An entry must match all filters; a filter with several values matches one
 * of them.
 */
export const MESSAGE_FILTERS = {
  ...DATES,
  callerIp: list,
  flowControlKey: list,
  label: list,
  queueName: list,
  scheduleId: list,
  topicName: list,
  url: urls,
} as const;

/** The order of a list. The newest entry comes first by default. */
export const ORDER = { order: oneOf("latestFirst", "earliestFirst") } as const;

/** Converts the filters of a query to a filter of the store. */
export function toMessageFilter(query: Values<typeof MESSAGE_FILTERS>): MessageFilter & Dates {
  return {
    urls: query.url,
    urlGroups: query.topicName,
    schedules: query.scheduleId,
    queues: query.queueName,
    labels: query.label,
    callerIps: query.callerIp,
    flowKeys: query.flowControlKey,
    ...toDates(query),
  };
}

interface Dates {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

export function toDates({ fromDate, toDate }: Values<typeof DATES>): Dates {
  return { from: fromDate, to: toDate };
}

/** Converts the order of a query to an option of the store. */
export function toOrder({ order }: Values<typeof ORDER>): { readonly earliestFirst: boolean } {
  return { earliestFirst: order === "earliestFirst" };
}
