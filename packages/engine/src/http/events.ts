import { HEADER, type NotifyResponse, type Waiter } from "@perdure/core/protocol";
import { z } from "zod";
import { URL_TEXT } from "../rules/destination.ts";
import { ID, toEventId } from "../rules/field.ts";
import { parseWait } from "../rules/wait.ts";
import { mapInSlices } from "../store/time-slices.ts";
import type { NotifyResult, Waiting } from "../store/waits.ts";
import { json, raw } from "./json.ts";
import { decode } from "./parameters.ts";
import { type Output, type Routes, route } from "./route.ts";
import { headers, time, unixTime } from "./schemas.ts";

const waiter = z
  .object({
    url: z.string(),
    deadline: unixTime,
    headers,
    timeoutUrl: z.string(),
    timeoutBody: z.unknown().meta({ description: "As it was sent; null without one." }),
    timeoutHeaders: headers,
  })
  .meta({ id: "Waiter" });

const notified = z
  .object({ waiter, messageId: z.string(), workflowRunId: z.string(), workflowCreatedAt: time })
  .meta({ id: "Notified" });

const waiting = z.object({
  url: z.string().meta(URL_TEXT),
  step: z.looseObject({}),
  timeout: z
    .union([z.string(), z.number()], 'expected a duration such as "30s" or "7d"')
    .meta({ description: "A duration; a number is of seconds." }),
  timeoutUrl: z.string().meta(URL_TEXT).nullish(),
  timeoutBody: z.unknown().optional(),
  timeoutHeaders: z
    .record(z.string(), z.union([z.string(), z.array(z.string())], "expected a string, or a list of strings"))
    .nullish(),
});

const id = { type: "string", ...ID } as const;
const params = {
  eventId: { schema: id, read: ([value = ""]: readonly string[]) => toEventId(value, "event id") },
};
/** An event id, or a run's id and an event id with a slash between them. */
const target = {
  eventId: { schema: id, raw: true, read: ([value = ""]: readonly string[]) => value },
} as const;

/** Routes to wait for events, to notify them, and to list the waiters. */
export const events = {
  "/v2/wait/*": {
    POST: route({
      summary: "Have a step of a run recorded when an event comes, or a time is over",
      path: "/v2/wait/{eventId}",
      params,
      headers: { [HEADER.runId]: "The run that the step belongs to." },
      body: json("the wait", waiting),
      answers: { 200: z.object({ messageId: z.string(), deduplicated: z.boolean().optional() }) },
      async handle(input, service) {
        const command = parseWait(input.params.eventId, input, service.limits);
        const { messageId, deduplicated } = await service.store.wait(command);
        return { messageId, ...(deduplicated ? { deduplicated } : {}) };
      },
    }),
  },
  "/v2/notify/*": {
    POST: route({
      // Without a run's id, the event reaches only steps that wait already. With one, it reaches the first
      // step of the run that waits, now or later.
      summary: "Tell all that wait for an event that it has come, with the body as its data",
      path: "/v2/notify/{eventId}",
      also: { "/v2/notify/{runId}/{eventId}": "Tell one run of an event, also before it waits for it" },
      params: target,
      body: raw,
      answers: { 201: z.array(notified) },
      async handle({ params: { eventId: path }, body: data }, { store }) {
        const slash = path.indexOf("/");
        if (slash < 0) return notifiedView(await store.notify({ eventId: eventIdIn(path), data }));
        const [runId, eventId] = [decode(path.slice(0, slash)), decode(path.slice(slash + 1))];
        return notifiedView(await store.notifyByPath({ runId, eventId, whole: decode(path) }, data));
      },
    }),
  },
  "/v2/waiters/*": {
    GET: route({
      summary: "List who waits for an event",
      path: "/v2/waiters/{eventId}",
      params,
      answers: { 200: z.array(waiter) },
      handle: async ({ params: { eventId: id } }, { store }) =>
        mapInSlices(await store.waiters(id), toWaiter),
    }),
  },
} satisfies Routes;

/**
 * Shows the steps that got an event. A run that has ended or never existed has no such steps. That is no
 * error, because the sender can't know it.
 */
export async function notifiedView(
  result: NotifyResult,
): Promise<(NotifyResponse & Output<typeof notified>)[]> {
  return result.kind === "delivered" ? mapInSlices(result.waiters, toAnswer) : [];
}

function eventIdIn(segment: string): string {
  return toEventId(decode(segment), "event id");
}

function toAnswer(one: Waiting): NotifyResponse & Output<typeof notified> {
  const { run, wait } = one;
  return {
    waiter: toWaiter(one),
    messageId: wait.message.id,
    workflowRunId: run.id,
    workflowCreatedAt: run.createdAt,
  };
}

function toWaiter({ wait }: Waiting): Waiter & Output<typeof waiter> {
  return {
    url: wait.message.url,
    deadline: Math.floor(wait.deadline / 1000),
    headers: wait.timeoutHeaders,
    timeoutUrl: wait.timeoutUrl,
    timeoutBody: wait.timeoutBody ?? null,
    timeoutHeaders: wait.timeoutHeaders,
  };
}
