import type { Handler } from "hono";
import { toText } from "../domain/bytes.ts";
import { toShown } from "../domain/header.ts";
import { invalid, messageOf, Problem } from "../domain/problem.ts";
import type { Run } from "../domain/run.ts";
import type { CallbackReport, CallbackState, DeadLetter, DeadLetterQuery } from "../store/lists.ts";
import { readBody } from "./body.ts";
import { MESSAGE_FILTERS, readMessageFilters, readOrder } from "./filters.ts";
import { Query, toCursor } from "./query.ts";
import type { Env, Service } from "./service.ts";
import { bodyView, messageView, rollbacksView } from "./views.ts";

const FILTERS = [
  ...MESSAGE_FILTERS,
  "count",
  "cursor",
  "dlqIds",
  "failureFunctionState",
  "messageId",
  "order",
  "responseStatus",
  "source",
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
export function listDeadLetters({ store }: Service, ofRuns = false): Handler<Env> {
  return async (c) => {
    const { items, next } = await store.deadLetters(readDeadLetterQuery(c.req.raw.url, ofRuns));
    return c.json({ messages: items.map(deadLetterView), ...toCursor(next) });
  };
}

/** `DELETE /v2/dlq`: takes out what matches, 100 at most; older clients name ids in a JSON body. */
export function deleteDeadLetters({ store, limits }: Service, ofRuns = false): Handler<Env> {
  return async (c) => {
    const body = await readBody(c.req.raw, limits.requestBytes);
    const query = readDeadLetterQuery(c.req.raw.url, ofRuns);
    const { removed, next } = await store.removeDeadLetters(
      body.length > 0 ? { ...query, ...readIds(body) } : query,
    );
    return c.json({ deleted: removed, ...toCursor(next) });
  };
}

export function getDeadLetter(service: Service, ofRuns = false): Handler<Env, "/:id"> {
  return async (c) => c.json(deadLetterView(await findDeadLetter(c.req.param("id"), service, ofRuns)));
}

export function deleteDeadLetter(service: Service, ofRuns = false): Handler<Env, "/:id"> {
  return async (c) => {
    const dlqId = c.req.param("id");
    const { removed } = await service.store.removeDeadLetters({ dlqIds: [dlqId], count: 1, ofRuns });
    if (removed === 0) throw unknown(dlqId);
    return c.json({ deleted: removed });
  };
}

/** @throws Problem 404 */
export async function findDeadLetter(
  dlqId: string,
  { store }: Service,
  ofRuns: boolean,
): Promise<DeadLetter> {
  const [letter] = (await store.deadLetters({ dlqIds: [dlqId], count: 1, ofRuns })).items;
  if (!letter) throw unknown(dlqId);
  return letter;
}

/** Which entries a request is about. Where ids are given, nothing else counts. */
export function readDeadLetterQuery(url: string, ofRuns: boolean): DeadLetterQuery {
  const query = new Query(url, FILTERS);
  const page = { ...readOrder(query), count: query.count(MOST, MOST), before: query.cursor() };
  const dlqIds = query.list("dlqIds");
  if (dlqIds) return { dlqIds, ofRuns, ...page };
  const source = query.text("source");
  if (source !== undefined && source !== "workflow") {
    throw invalid("parameter source", `expected workflow, got "${source}"`);
  }
  return {
    ...readMessageFilters(query),
    messageIds: query.list("messageId"),
    runIds: query.list("workflowRunId"),
    runCreatedAt: query.number("workflowCreatedAt"),
    workflowUrls: query.urls("workflowUrl"),
    statuses: query.numbers("responseStatus"),
    callbackStates: query.oneOf("failureFunctionState", STATES),
    ofRuns: ofRuns || source === "workflow",
    ...page,
  };
}

function readIds(body: Uint8Array): Pick<DeadLetterQuery, "dlqIds"> {
  try {
    const { dlqIds } = (JSON.parse(toText(body)) ?? {}) as { dlqIds?: unknown };
    if (Array.isArray(dlqIds) && dlqIds.every((id) => typeof id === "string")) return { dlqIds };
  } catch (cause) {
    throw new Problem(400, `the selection is not JSON: ${messageOf(cause)}`, { cause });
  }
  throw invalid("dlqIds", "expected a list of ids");
}

function unknown(dlqId: string): Problem {
  return new Problem(404, `dead letter ${dlqId} not found`);
}

function deadLetterView({ dlqId, message, run, body, failure, callback, rollbacks }: DeadLetter): object {
  return {
    dlqId,
    ...messageView(message, run, body),
    error: failure.error,
    // A number in any case: there are clients that require one.
    responseStatus: failure.reply?.status ?? 0,
    responseHeader: toShown(failure.reply?.headers ?? {}),
    ...bodyView("responseBody", failure.reply?.body),
    ...(callback && callback.state !== "NONE" ? callbackView(callback, callback.state, run) : {}),
    ...rollbacksView(rollbacks),
  };
}

function callbackView({ reply }: CallbackReport, state: CallbackState, run: Run | undefined): object {
  return {
    ...(run ? { failureFunctionState: state } : {}),
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
