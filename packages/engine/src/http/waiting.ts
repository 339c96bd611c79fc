import { z } from "zod";
import type { DueStatus } from "../rules/message-status.ts";
import type { OpenWait, UnfinishedMessage } from "../store/lists.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { json, optional } from "./json.ts";
import { count, cursor as cursorOf, list, part, someOf, toCursor, urls } from "./parameters.ts";
import { type Output, type Routes, route } from "./route.ts";
import { cursor, time } from "./schemas.ts";

const MAX_PAGE_SIZE = 200;
const DEFAULT_PAGE_SIZE = 50;
const page = { count: count(MAX_PAGE_SIZE), cursor: cursorOf };

/** The statuses of a message that isn't at its end, for clients. */
const STATUSES = [
  "scheduled",
  "retrying",
  "queued",
  "throttled",
  "deferred",
  "ready",
  "delivering",
] as const satisfies readonly DueStatus[];

const openWait = z
  .object({
    eventId: z.string(),
    stepName: z.string(),
    webhook: z.boolean(),
    workflowRunId: z.string(),
    workflowUrl: z.string(),
    workflowRunCreatedAt: time,
    createdAt: time,
    deadline: time,
  })
  .meta({ id: "OpenWait", description: "A step that waits for an event, or for a request to its webhook." });

const pending = z
  .object({
    messageId: z.string(),
    kind: z.enum(["message", "step", "call", "answer", "failure", "rollback", "cancel"]),
    url: z.string(),
    status: z.enum(STATUSES),
    at: time.optional(),
    attempt: z.int(),
    retries: z.int(),
    queueName: z.string().optional(),
    flowControlKey: z.string().optional(),
    workflowRunId: z.string().optional(),
    workflowRunCreatedAt: time.optional(),
  })
  .meta({ id: "PendingMessage", description: "A message that isn't at its end." });

const params = { id: part };

/** Routes to see what waits, and to end its wait. */
export const waiting = {
  "/v2/workflows/waiters": {
    GET: route({
      summary: "List the steps that wait for events and webhooks, the latest first",
      query: { ...page, eventId: list, workflowRunId: list, workflowUrl: urls },
      answers: { 200: z.object({ waiters: z.array(openWait), ...cursor }) },
      async handle({ query }, { store }) {
        const { items, next } = await store.openWaits({
          eventIds: query.eventId,
          runIds: query.workflowRunId,
          urls: query.workflowUrl,
          count: query.count ?? DEFAULT_PAGE_SIZE,
          before: query.cursor,
        });
        return { waiters: await mapInSlices(items, waitView), ...toCursor(next) };
      },
    }),
  },
  "/v2/workflows/pending": {
    GET: route({
      summary: "List the messages that aren't at their end, the earliest first",
      query: {
        ...page,
        flowControlKey: list,
        queueName: list,
        status: someOf(STATUSES),
        workflowRunId: list,
      },
      answers: { 200: z.object({ messages: z.array(pending), ...cursor }) },
      async handle({ query }, { store }) {
        const { items, next } = await store.unfinishedMessages({
          queues: query.queueName,
          flowKeys: query.flowControlKey,
          statuses: query.status,
          runIds: query.workflowRunId,
          count: query.count ?? DEFAULT_PAGE_SIZE,
          after: query.cursor,
        });
        return { messages: await mapInSlices(items, pendingView), ...toCursor(next) };
      },
    }),
  },
  "/v2/workflows/runs/:id/wake": {
    POST: route({
      summary: "End the sleeps of a run now, or only those of one step",
      params,
      body: optional(json("the step", z.strictObject({ stepName: z.string().min(1).optional() }))),
      answers: { 200: z.object({ woken: z.int() }) },
      handle: async ({ params: { id }, body }, { store }) => ({
        woken: await store.wakeSleeps({ id, stepName: body?.stepName }),
      }),
    }),
  },
  "/v2/workflows/runs/:id/retry": {
    POST: route({
      summary: "Begin the next attempts of a run now that wait for their time after a failed one",
      params,
      answers: { 200: z.object({ retried: z.int() }) },
      handle: async ({ params: { id } }, { store }) => ({ retried: await store.retryRunNow(id) }),
    }),
  },
} satisfies Routes;

function waitView({
  eventId,
  stepName,
  isWebhook,
  run,
  createdAt,
  deadline,
}: OpenWait): Output<typeof openWait> {
  return {
    eventId,
    stepName,
    webhook: isWebhook,
    workflowRunId: run.id,
    workflowUrl: run.url,
    workflowRunCreatedAt: run.createdAt,
    createdAt,
    deadline,
  };
}

function pendingView(one: UnfinishedMessage): Output<typeof pending> {
  const { status, run } = one;
  return {
    messageId: one.id,
    kind: one.kind,
    url: one.url,
    // The query selects no others.
    status: status as Exclude<DueStatus, "withdrawn">,
    ...(one.dueAt === undefined ? {} : { at: one.dueAt }),
    attempt: one.attempt,
    retries: one.maxRetries,
    ...(one.queue === undefined ? {} : { queueName: one.queue }),
    ...(one.flowKey === undefined ? {} : { flowControlKey: one.flowKey }),
    ...(run ? { workflowRunId: run.id, workflowRunCreatedAt: run.createdAt } : {}),
  };
}
