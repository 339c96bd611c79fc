import { z } from "zod";
import { toBase64 } from "../rules/bytes.ts";
import { toShown } from "../rules/header.ts";
import { LOG_STATES, type LogState } from "../rules/log.ts";
import type { Failure } from "../rules/message.ts";
import type { LogEntry, LogQuery } from "../store/lists.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { MESSAGE_FILTERS, ORDER, PLACES, toMessageFilter, toOrder } from "./filters.ts";
import { count, cursor as cursorOf, list, someOf, toCursor } from "./parameters.ts";
import { type Output, type Parameter, type Routes, route, type Values } from "./route.ts";
import { base64, cursor, headers, message, time } from "./schemas.ts";
import { hash, messageView } from "./serializers.ts";

const MAX_PAGE_SIZE = 1000;
const DEFAULT_PAGE_SIZE = 100;

/** Groups of states that a filter accepts. */
const GROUPS = ["IN_PROGRESS", "CANCELED"] as const;

/** A cursor. Old clients send a time in digits instead; the engine's cursors never consist of digits only. */
const place: Parameter<Pick<LogQuery, "before" | "to">> = {
  schema: cursorOf.schema,
  read(values, name) {
    const [value = ""] = values;
    if (values.length === 1 && /^\d{1,15}$/.test(value)) return { to: Number(value) };
    return { before: cursorOf.read(values, name) };
  },
};

const query = {
  ...MESSAGE_FILTERS,
  ...PLACES,
  ...ORDER,
  count: count(MAX_PAGE_SIZE),
  cursor: place,
  messageId: list,
  messageIds: list,
  state: someOf([...LOG_STATES, ...GROUPS]),
};

const { callbackHeader: _, failureCallbackHeader: __, ...ofMessage } = message.shape;
const log = z
  .object({
    ...ofMessage,
    time,
    state: z.enum(LOG_STATES),
    body: base64,
    retryDelayExpr: z
      .string()
      .optional()
      .meta({ description: "The same as `retryDelayExpression`: clients disagree." }),
    callbackHeaders: headers.optional(),
    failureCallbackHeaders: headers.optional(),
    timeout: z.int().optional().meta({ description: "Milliseconds." }),
    nextDeliveryTime: time.optional(),
    error: z.string().optional(),
    responseStatus: z.int().optional(),
    responseBody: base64.optional(),
    responseHeaders: headers.optional(),
  })
  .meta({ id: "Log" });

const summary = "List what became of messages, the newest first";

/** Clients call it `events`. */
export const logs = {
  "/v2/events": {
    GET: route({
      summary,
      query,
      answers: { 200: z.object({ events: z.array(log), ...cursor }) },
      async handle(input, { store }) {
        const { items, next } = await store.logs(toQuery(input.query));
        return { events: await mapInSlices(items, logView), ...toCursor(next) };
      },
    }),
  },
  "/v2/logs": {
    GET: route({
      summary,
      query,
      answers: { 200: z.object({ logs: z.array(log), ...cursor }) },
      async handle(input, { store }) {
        const { items, next } = await store.logs(toQuery(input.query));
        return { logs: await mapInSlices(items, logView), ...toCursor(next) };
      },
    }),
  },
} satisfies Routes;

function toQuery(asked: Values<typeof query>): LogQuery {
  const page = { ...toOrder(asked), ...asked.cursor, count: asked.count ?? DEFAULT_PAGE_SIZE };
  // When the request has ids, the engine ignores its other filters.
  if (asked.messageIds) return { messageIds: asked.messageIds, ...page };
  const filter = toMessageFilter(asked);
  return {
    ...filter,
    messageIds: asked.messageId,
    hosts: asked.host,
    paths: asked.path,
    states: asked.state?.flatMap(toStates),
    ...page,
    to: page.to === undefined ? filter.to : Math.min(page.to, filter.to ?? page.to),
  };
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

function logView(entry: LogEntry): Output<typeof log> {
  const { at, state, message, run, body, failure, nextDelivery } = entry;
  const { callbackHeader, failureCallbackHeader, ...view } = messageView(message, run, undefined);
  const { retryDelayExpression } = view;
  return {
    ...view,
    time: at,
    state,
    body: message.redact?.body && body?.length ? hash(body) : toBase64(body ?? new Uint8Array()),
    ...(retryDelayExpression === undefined ? {} : { retryDelayExpr: retryDelayExpression }),
    ...(callbackHeader === undefined ? {} : { callbackHeaders: callbackHeader }),
    ...(failureCallbackHeader === undefined ? {} : { failureCallbackHeaders: failureCallbackHeader }),
    ...(message.timeout === undefined ? {} : { timeout: message.timeout }),
    ...(nextDelivery === undefined ? {} : { nextDeliveryTime: nextDelivery }),
    ...(failure ? failureView(failure, state) : {}),
  };
}

/**
 * Shows a failure. The last entry of a failed message has only the error: the entry before it has the answer.
 */
function failureView({ error, reply }: Failure, state: LogState): Partial<Output<typeof log>> {
  if (state !== "ERROR") return { error };
  return {
    error,
    responseStatus: reply?.status ?? 0,
    responseBody: toBase64(reply?.body ?? new Uint8Array()),
    responseHeaders: toShown(reply?.headers ?? {}),
  };
}
