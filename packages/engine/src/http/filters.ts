import type { MessageFilter } from "../store/lists.ts";
import type { Query } from "./query.ts";

/** Parameters of every list that has to do with messages. */
export const MESSAGE_FILTERS = [
  "callerIp",
  "flowControlKey",
  "fromDate",
  "label",
  "queueName",
  "scheduleId",
  "toDate",
  "topicName",
  "url",
] as const;

/** Within a filter any value may match; all filters that are given must. */
export function readMessageFilters(query: Query): Omit<MessageFilter, "messageIds"> & Dates {
  return {
    urls: query.urls("url"),
    topics: query.list("topicName"),
    schedules: query.list("scheduleId"),
    queues: query.list("queueName"),
    labels: query.list("label"),
    callerIps: query.list("callerIp"),
    flowKeys: query.list("flowControlKey"),
    ...readDates(query),
  };
}

interface Dates {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** Milliseconds since 1970, both inclusive. */
export function readDates(query: Query): Dates {
  return { from: query.number("fromDate"), to: query.number("toDate") };
}

/** Whether a list is to go forward in time; the newest comes first otherwise. */
export function readOrder(query: Query): { readonly earliestFirst: boolean } {
  const [order = "latestFirst"] = query.oneOf("order", ["latestFirst", "earliestFirst"]) ?? [];
  return { earliestFirst: order === "earliestFirst" };
}
