import { z } from "zod";
import { toShown } from "../rules/header.ts";
import type { Run } from "../rules/run.ts";
import type {
  CallbackReport,
  CallbackState,
  DeadLetter,
  DeadLetterGroup,
  DeadLetterQuery,
} from "../store/lists.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { MESSAGE_FILTERS, ORDER, toMessageFilter, toOrder } from "./filters.ts";
import { json, optional } from "./json.ts";
import {
  count,
  cursor as cursorOf,
  list,
  numbers,
  oneOf,
  part,
  someOf,
  time,
  toCursor,
  urls,
} from "./parameters.ts";
import { type Output, type Routes, route, type Values } from "./route.ts";
import {
  callbackState,
  cursor,
  headers,
  id,
  message,
  responseBody,
  rollbacks,
  time as timeOf,
} from "./schemas.ts";
import { bodyView, messageView, rollbacksView } from "./serializers.ts";

const MAX_PAGE_SIZE = 100;

/** Parameters that select dead letters. */
export const DEAD_LETTERS = {
  ...MESSAGE_FILTERS,
  ...ORDER,
  count: count(MAX_PAGE_SIZE),
  cursor: cursorOf,
  dlqIds: list,
  fingerprint: list,
  failureFunctionState: someOf(callbackState.options),
  messageId: list,
  responseStatus: numbers,
  source: oneOf("workflow"),
  workflowCreatedAt: time,
  workflowRunId: list,
  workflowUrl: urls,
} as const;

/** The id of a dead letter, as a part of the path. */
export const dlqId = { id: part };

const deadLetter = z
  .object({
    dlqId: z.string(),
    ...message.shape,
    failedAt: timeOf,
    error: z.string(),
    responseStatus: z.int().meta({ description: "0 when there was no answer." }),
    responseHeader: headers,
    ...responseBody,
    failureFunctionState: callbackState.optional(),
    failureCallbackInfo: z
      .object({
        state: callbackState,
        responseStatus: z.int().optional(),
        ...responseBody,
        responseHeaders: headers.optional(),
      })
      .optional(),
    rollbacks,
  })
  .meta({ id: "DeadLetter" });

const group = z
  .object({
    fingerprint: z.string().meta({ description: "A filter of all lists of dead letters." }),
    errorName: z.string(),
    message: z.string().meta({ description: "The error's text, with `#` in place of its values." }),
    stepName: z.string().optional(),
    url: z.string(),
    workflowUrl: z.string().optional(),
    count: z.int(),
    firstSeen: timeOf,
    lastSeen: timeOf,
    dlqId: z.string().meta({ description: "The latest dead letter." }),
    workflowRunId: z.string().optional(),
  })
  .meta({ id: "DeadLetterGroup" });

const deleted = z.object({ deleted: z.int() });
// Older clients send the ids in the body.
const selection = optional(json("the selection", z.object({ dlqIds: z.array(id) })));

export const deadLetters = {
  "/v2/dlq": listed(false),
  "/v2/workflows/dlq": listed(true),
  "/v2/dlq/groups": grouped(false),
  "/v2/workflows/dlq/groups": grouped(true),
} satisfies Routes;

/** These routes must come after the routes with more specific paths. */
export const deadLetterById = {
  "/v2/dlq/:id": single(false),
  "/v2/workflows/dlq/:id": single(true),
} satisfies Routes;

function listed(ofRuns: boolean) {
  return {
    GET: route({
      summary: ofRuns ? "List the failures of runs" : "List what failed for good",
      query: DEAD_LETTERS,
      answers: { 200: z.object({ messages: z.array(deadLetter), ...cursor }) },
      async handle({ query }, { store }) {
        const { items, next } = await store.deadLetters(toDeadLetterQuery(query, ofRuns));
        return { messages: await mapInSlices(items, deadLetterView), ...toCursor(next) };
      },
    }),
    DELETE: route({
      summary: ofRuns
        ? "Take failures of runs that match out of the queue"
        : "Take what matches out of the queue",
      query: DEAD_LETTERS,
      body: selection,
      answers: { 200: deleted.extend(cursor) },
      async handle({ query, body }, { store }) {
        const { removed, next } = await store.removeDeadLetters({
          ...toDeadLetterQuery(query, ofRuns),
          ...body,
        });
        return { deleted: removed, ...toCursor(next) };
      },
    }),
  };
}

function grouped(ofRuns: boolean) {
  return {
    GET: route({
      summary: `List the groups of ${ofRuns ? "failures of runs" : "dead letters"} whose errors differ only in their values, the most recent first`,
      query: DEAD_LETTERS,
      answers: { 200: z.object({ groups: z.array(group), ...cursor }) },
      async handle({ query }, { store }) {
        const { items, next } = await store.deadLetterGroups(toDeadLetterQuery(query, ofRuns));
        return { groups: items.map(groupView), ...toCursor(next) };
      },
    }),
  };
}

function groupView(one: DeadLetterGroup): Output<typeof group> {
  return {
    fingerprint: one.fingerprint,
    errorName: one.errorName,
    message: one.pattern,
    ...(one.step === undefined ? {} : { stepName: one.step }),
    url: one.url,
    count: one.count,
    firstSeen: one.firstAt,
    lastSeen: one.lastAt,
    dlqId: one.dlqId,
    ...(one.runId === undefined ? {} : { workflowRunId: one.runId, workflowUrl: one.url }),
  };
}

function single(ofRuns: boolean) {
  return {
    GET: route({
      summary: ofRuns ? "Get the failure of a run" : "Get a dead letter",
      params: dlqId,
      answers: { 200: deadLetter },
      handle: async ({ params: { id } }, { store }) => deadLetterView(await store.deadLetter(id, ofRuns)),
    }),
    DELETE: route({
      summary: ofRuns ? "Take the failure of a run out of the queue" : "Take a dead letter out of the queue",
      params: dlqId,
      answers: { 200: deleted },
      async handle({ params: { id } }, { store }) {
        await store.removeDeadLetter(id, ofRuns);
        return { deleted: 1 };
      },
    }),
  };
}

/**
 * The dead letters that a request selects. When the request has ids, the engine ignores its other filters.
 */
export function toDeadLetterQuery(query: Values<typeof DEAD_LETTERS>, ofRuns: boolean): DeadLetterQuery {
  const page = { ...toOrder(query), count: query.count ?? MAX_PAGE_SIZE, before: query.cursor };
  if (query.dlqIds) return { dlqIds: query.dlqIds, ofRuns, ...page };
  return {
    ...toMessageFilter(query),
    messageIds: query.messageId,
    runIds: query.workflowRunId,
    runCreatedAt: query.workflowCreatedAt,
    workflowUrls: query.workflowUrl,
    statuses: query.responseStatus,
    callbackStates: query.failureFunctionState,
    fingerprints: query.fingerprint,
    ofRuns: ofRuns || query.source === "workflow",
    ...page,
  };
}

function deadLetterView(letter: DeadLetter): Output<typeof deadLetter> {
  const { message, run, body, failure, callback } = letter;
  return {
    dlqId: letter.dlqId,
    ...messageView(message, run, body),
    failedAt: letter.createdAt,
    error: failure.error,
    // Always a number, because some clients require one.
    responseStatus: failure.reply?.status ?? 0,
    responseHeader: toShown(failure.reply?.headers ?? {}),
    ...bodyView("responseBody", failure.reply?.body),
    ...(callback && callback.state !== "NONE" ? callbackView(callback, callback.state, run) : {}),
    ...rollbacksView(letter.rollbacks),
  };
}

function callbackView(
  { reply }: CallbackReport,
  state: CallbackState,
  run: Run | undefined,
): Pick<Output<typeof deadLetter>, "failureFunctionState" | "failureCallbackInfo"> {
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
