import type { Handler } from "hono";
import { toBase64 } from "../domain/bytes.ts";
import { toShown } from "../domain/header.ts";
import { LOG_STATES, type LogState } from "../domain/log.ts";
import type { Failure } from "../domain/message.ts";
import type { LogEntry, LogQuery } from "../store/lists.ts";
import { MESSAGE_FILTERS, readMessageFilters, readOrder } from "./filters.ts";
import { Query, toCursor } from "./query.ts";
import type { Env, Service } from "./service.ts";
import { hash, messageView } from "./views.ts";

const FILTERS = [
  ...MESSAGE_FILTERS,
  "count",
  "cursor",
  "host",
  "messageId",
  "messageIds",
  "order",
  "path",
  "state",
];
const MOST = 1000;
const USUAL = 100;

/** What may be asked for beside the states themselves. */
const GROUPS = ["IN_PROGRESS", "CANCELED"] as const;

/** `GET /v2/logs`, and `/v2/events` as clients call it: what became of messages, the newest first. */
export function listLogs({ store }: Service, key: "logs" | "events"): Handler<Env> {
  return async (c) => {
    const { items, next } = await store.logs(readLogQuery(c.req.raw.url));
    return c.json({ [key]: items.map(logView), ...toCursor(next) });
  };
}

function readLogQuery(url: string): LogQuery {
  const query = new Query(url, FILTERS);
  const page = { ...readOrder(query), ...readPlace(query), count: query.count(MOST, USUAL) };
  // Where ids are given, nothing else counts.
  const messageIds = query.list("messageIds");
  if (messageIds) return { messageIds, ...page };
  const filters = readMessageFilters(query);
  return {
    ...filters,
    messageIds: query.list("messageId"),
    hosts: query.list("host"),
    paths: query.urls("path"),
    states: query.oneOf("state", [...LOG_STATES, ...GROUPS])?.flatMap(toStates),
    ...page,
    to: page.to === undefined ? filters.to : Math.min(page.to, filters.to ?? page.to),
  };
}

/** Where the previous page ended. Old clients begin with a time instead, in digits, which no cursor of ours consists of. */
function readPlace(query: Query): Pick<LogQuery, "before" | "to"> {
  const cursor = query.text("cursor") ?? "";
  return /^\d{1,15}$/.test(cursor) ? { to: Number(cursor) } : { before: query.cursor() };
}

function toStates(state: LogState | (typeof GROUPS)[number]): LogState[] {
  switch (state) {
    case "IN_PROGRESS":
      return ["ACTIVE", "RETRY", "ERROR"];
    case "CANCELED":
      return ["CANCELLED"];
    default:
      return [state];
  }
}

function logView(entry: LogEntry): object {
  const { at, state, message, run, body, failure, nextDelivery } = entry;
  const { callbackHeader, failureCallbackHeader, ...view } = messageView(message, run, undefined) as Record<
    string,
    unknown
  >;
  return {
    time: at,
    state,
    ...view,
    body: message.redact?.body && body?.length ? hash(body) : toBase64(body ?? new Uint8Array()),
    ...(callbackHeader === undefined ? {} : { callbackHeaders: callbackHeader }),
    ...(failureCallbackHeader === undefined ? {} : { failureCallbackHeaders: failureCallbackHeader }),
    ...(message.timeout === undefined ? {} : { timeout: message.timeout }),
    ...(nextDelivery === undefined ? {} : { nextDeliveryTime: nextDelivery }),
    ...(failure ? failureView(failure, state) : {}),
  };
}

/** The last entry of a message that failed says only why: the one before it has the answer. */
function failureView({ error, reply }: Failure, state: LogState): object {
  if (state !== "ERROR") return { error };
  return {
    error,
    responseStatus: reply?.status ?? 0,
    responseBody: toBase64(reply?.body ?? new Uint8Array()),
    responseHeaders: toShown(reply?.headers ?? {}),
  };
}
