import { HEADER } from "@perdure/core/protocol";
import { z } from "zod";
import { toHeaderMap } from "../rules/header.ts";
import { DEFAULT_RETRIES } from "../rules/message.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import { describeSchedule, type Schedule } from "../rules/schedule.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { raw } from "./json.ts";
import { destination, named } from "./parameters.ts";
import { toPublishRequest } from "./published.ts";
import { type Output, type Routes, route } from "./route.ts";
import { body, done, flow, headers, labels, scheduled, seconds, time } from "./schemas.ts";
import { bodyView, flowView, labelsView, redactHeaders } from "./serializers.ts";

const schedule = z
  .object({
    scheduleId: z.string(),
    cron: z.string(),
    createdAt: time,
    destination: z.string(),
    method: z.string(),
    header: headers.optional(),
    ...body,
    retries: z.int(),
    retryDelayExpression: z.string().optional(),
    delay: seconds.optional(),
    callback: z.string().optional(),
    failureCallback: z.string().optional(),
    callerIP: z.string(),
    callerIp: z.string().meta({ description: "The same: clients disagree." }),
    isPaused: z.boolean(),
    queueName: z.string().optional(),
    ...flow,
    ...labels,
    lastScheduleTime: time.optional(),
    lastScheduleStates: z.record(z.string(), z.enum(["IN_PROGRESS", "SUCCESS", "FAIL"])).optional(),
    nextScheduleTime: time.optional(),
  })
  .meta({ id: "Schedule" });

const path = "/v2/schedules/{schedule}";
const params = { schedule: named("schedule id") };
const pause = switched("Pause a schedule", true);
const resume = switched("Resume a schedule", false);

export const schedules = {
  "/v2/schedules": {
    GET: route({
      summary: "List schedules, the oldest first",
      answers: { 200: z.array(schedule) },
      handle: async (_, { store }) => mapInSlices(await store.schedules(), scheduleView),
    }),
  },
  // These patterns match only ids: a destination has a scheme, and an id has no slash.
  "/v2/schedules/:schedule{[^/:]+}/pause": { POST: pause, PATCH: pause },
  "/v2/schedules/:schedule{[^/:]+}/resume": { POST: resume, PATCH: resume },
  "/v2/schedules/*": {
    GET: route({
      summary: "Get a schedule by its id",
      path,
      params,
      answers: { 200: schedule },
      async handle({ params: { schedule: id } }, { store }) {
        return scheduleView(await store.schedule(id));
      },
    }),
    POST: route({
      summary: "Make a schedule, or replace one: the times are in Upstash-Cron",
      path,
      params: { schedule: destination },
      foreignQuery: true,
      headers: OPTION_HEADERS,
      body: raw,
      answers: { 200: scheduled },
      handle: async (input, { store, limits }) => ({
        scheduleId: await store.createSchedule(toPublishRequest(input.params.schedule, input), limits),
      }),
    }),
    DELETE: route({
      summary: "Delete a schedule by its id, if there is one",
      path,
      params,
      answers: { 200: done },
      async handle({ params: { schedule: id } }, { store }) {
        await store.deleteSchedule(id);
        return {};
      },
    }),
  },
} satisfies Routes;

function switched(summary: string, paused: boolean) {
  return route({
    summary,
    params,
    answers: { 200: done },
    async handle({ params: { schedule: id } }, { store }) {
      await store.pauseSchedule(id, paused);
      return {};
    },
  });
}

function scheduleView(one: Schedule): Output<typeof schedule> {
  const { body, lastAt, nextAt } = one;
  const { message, delay } = describeSchedule(one);
  const { contentType, redact, callback, failureCallback, forward, queue, retryDelay } = message;
  const headers = toHeaderMap(
    contentType === undefined ? forward : [...forward, [HEADER.contentType, contentType]],
  );
  return {
    scheduleId: one.id,
    cron: one.cron,
    createdAt: one.createdAt,
    destination: one.destination,
    method: message.method,
    ...(Object.keys(headers).length > 0 ? { header: redactHeaders(headers, redact) } : {}),
    ...bodyView("body", body, redact?.body),
    retries: message.retries ?? DEFAULT_RETRIES,
    ...(retryDelay === undefined ? {} : { retryDelayExpression: retryDelay }),
    ...(delay === undefined ? {} : { delay: delay / 1000 }),
    ...(callback ? { callback: callback.url } : {}),
    ...(failureCallback ? { failureCallback: failureCallback.url } : {}),
    // The answer has both names, because clients disagree.
    callerIP: message.callerIp,
    callerIp: message.callerIp,
    isPaused: one.paused,
    ...(queue === undefined ? {} : { queueName: queue }),
    ...flowView(message.flow),
    ...labelsView(message.labels),
    ...(lastAt === undefined ? {} : { lastScheduleTime: lastAt, lastScheduleStates: one.lastStates }),
    ...(nextAt === undefined ? {} : { nextScheduleTime: nextAt }),
  };
}
