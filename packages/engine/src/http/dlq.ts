import type { Handler } from "hono";
import { toShown } from "../domain/header.ts";
import { invalid } from "../domain/problem.ts";
import type { CallbackReport, CallbackState, DeadLetter } from "../store/store.ts";
import { Query, toCursor } from "./query.ts";
import type { Env, Service } from "./service.ts";
import { bodyView, messageView } from "./views.ts";

const FILTERS = [
  "count",
  "cursor",
  "dlqIds",
  "failureFunctionState",
  "fromDate",
  "label",
  "messageId",
  "responseStatus",
  "source",
  "toDate",
  "url",
  "workflowCreatedAt",
  "workflowRunId",
  "workflowUrl",
];
const STATES: readonly CallbackState[] = [
  "CALLBACK_INPROGRESS",
  "CALLBACK_SUCCESS",
  "CALLBACK_FAIL",
  "CALLBACK_CANCELED",
];
const MOST = 100;

/** `GET /v2/dlq`: what failed for good, the newest first. With `source=workflow` only what belongs to runs. */
export function listDeadLetters({ store }: Service): Handler<Env> {
  return async (c) => {
    const query = new Query(c.req.raw.url, FILTERS);
    const page = { count: query.count(MOST, MOST), before: query.cursor() };
    const dlqIds = query.list("dlqIds");
    const { items, next } = await store.deadLetters(
      dlqIds ? { ...page, dlqIds } : { ...page, ...readFilters(query) },
    );
    return c.json({ messages: items.map(deadLetterView), ...toCursor(next) });
  };
}

function readFilters(query: Query): Omit<Parameters<Service["store"]["deadLetters"]>[0], "count" | "before"> {
  const source = query.text("source");
  if (source !== undefined && source !== "workflow") {
    throw invalid("parameter source", `expected workflow, got "${source}"`);
  }
  return {
    messageIds: query.list("messageId"),
    urls: query.urls("url"),
    runIds: query.list("workflowRunId"),
    runCreatedAt: query.number("workflowCreatedAt"),
    workflowUrls: query.urls("workflowUrl"),
    labels: query.list("label"),
    statuses: query.numbers("responseStatus"),
    callbackStates: query.oneOf("failureFunctionState", STATES),
    ofRuns: source === "workflow",
    from: query.number("fromDate"),
    to: query.number("toDate"),
  };
}

function deadLetterView({ dlqId, message, run, body, failure, callback }: DeadLetter): object {
  return {
    dlqId,
    ...messageView(message, run, body),
    error: failure.error,
    // A number in any case: there are clients that require one.
    responseStatus: failure.reply?.status ?? 0,
    responseHeader: toShown(failure.reply?.headers ?? {}),
    ...bodyView("responseBody", failure.reply?.body),
    ...(callback && callback.state !== "NONE" ? callbackView(callback, callback.state) : {}),
  };
}

function callbackView({ reply }: CallbackReport, state: CallbackState): object {
  return {
    failureFunctionState: state,
    failureCallbackInfo: {
      state,
      ...(reply
        ? {
            responseStatus: reply.status,
            ...bodyView("responseBody", reply.body),
            responseHeaders: toShown(reply.headers),
          }
        : {}),
    },
  };
}
