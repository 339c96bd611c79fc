import { HEADER } from "@perdure/core/protocol";
import type { Context, Handler } from "hono";
import { rawDestination } from "../domain/destination.ts";
import type { IntakeRequest } from "../domain/draft.ts";
import { toHeaderMap } from "../domain/header.ts";
import { DEFAULT_RETRIES } from "../domain/message.ts";
import { toName } from "../domain/name.ts";
import { Problem } from "../domain/problem.ts";
import { describeSchedule, type Schedule, toSchedule } from "../domain/schedule.ts";
import { isTopicName, noSuchTopic } from "../domain/topic.ts";
import { Query } from "./query.ts";
import type { Env, Service } from "./service.ts";
import { decode, readSubmission } from "./submit.ts";
import { bodyView, flowView, labelsView, redactHeaders } from "./views.ts";

const PREFIX = "/v2/schedules/";

/** `GET /v2/schedules`: the oldest first. */
export function listSchedules({ store }: Service): Handler<Env> {
  return async (c) => {
    new Query(c.req.raw.url, []);
    return c.json((await store.schedules.list()).map(scheduleView));
  };
}

/** `GET /v2/schedules/{id}`. */
export function getSchedule({ store }: Service): Handler<Env> {
  return async (c) => {
    const id = readId(c);
    const schedule = await store.schedules.get(id);
    if (!schedule) throw unknown(id);
    return c.json(scheduleView(schedule));
  };
}

/** `POST /v2/schedules/{url or url group}`: makes a schedule, or replaces one; `/{id}/pause` and `/{id}/resume` as by PATCH. */
export function postSchedule(service: Service): Handler<Env> {
  return async (c) =>
    (await switched(c, service)) ??
    c.json(await createSchedule(await readSubmission(c, PREFIX, service), service));
}

/** `PATCH /v2/schedules/{id}/pause` and `/resume`. */
export function patchSchedule(service: Service): Handler<Env> {
  return async (c) => {
    const answer = await switched(c, service);
    if (answer) return answer;
    throw new Problem(404, `not found: expected ${PREFIX}{id}/pause or ${PREFIX}{id}/resume`);
  };
}

/** `DELETE /v2/schedules/{id}`: also of one that isn't there. */
export function deleteSchedule({ store }: Service): Handler<Env> {
  return async (c) => {
    await store.schedules.delete(readId(c));
    return c.json({});
  };
}

/** Stores a schedule. */
export async function createSchedule(
  request: IntakeRequest,
  { store, limits }: Service,
): Promise<{ readonly scheduleId: string }> {
  const { destination } = request;
  const topic = isTopicName(destination) ? await store.topic(destination) : undefined;
  if (isTopicName(destination) && !topic) throw noSuchTopic(destination);
  const schedule = toSchedule(request, topic, limits);
  await store.schedules.put(schedule, limits);
  return { scheduleId: schedule.id };
}

/** Obeys a path that ends in `/pause` or `/resume`; a destination has a scheme, and an id has no slash. */
async function switched(c: Context<Env>, { store, clock }: Service): Promise<Response | undefined> {
  const found = /^([^/:]+)\/(pause|resume)$/.exec(pathOf(c));
  if (!found) return undefined;
  const id = toId(found[1] as string);
  if (!(await store.schedules.pause(id, found[2] === "pause", clock.now()))) throw unknown(id);
  return c.json({});
}

function readId(c: Context<Env>): string {
  return toId(pathOf(c));
}

function pathOf(c: Context<Env>): string {
  return rawDestination(c.req.raw.url, PREFIX).replace(/[?#].*$/, "");
}

function toId(segment: string): string {
  return toName(decode(segment), "schedule id");
}

function unknown(id: string): Problem {
  return new Problem(404, `schedule ${id} not found`);
}

function scheduleView(schedule: Schedule): object {
  const { body, lastAt, nextAt } = schedule;
  const { message, delay } = describeSchedule(schedule);
  const { contentType, redact, callback, failureCallback, forward, queue, retryDelay } = message;
  const headers = toHeaderMap(
    contentType === undefined ? forward : [...forward, [HEADER.contentType, contentType]],
  );
  return {
    scheduleId: schedule.id,
    cron: schedule.cron,
    createdAt: schedule.createdAt,
    destination: schedule.destination,
    method: message.method,
    ...(Object.keys(headers).length > 0 ? { header: redactHeaders(headers, redact) } : {}),
    ...bodyView("body", body, redact?.body),
    retries: message.retries ?? DEFAULT_RETRIES,
    ...(retryDelay === undefined ? {} : { retryDelayExpression: retryDelay }),
    ...(delay === undefined ? {} : { delay: delay / 1000 }),
    ...(callback ? { callback: callback.url } : {}),
    ...(failureCallback ? { failureCallback: failureCallback.url } : {}),
    // Under both names: clients disagree.
    callerIP: message.callerIp,
    callerIp: message.callerIp,
    isPaused: schedule.paused,
    ...(queue === undefined ? {} : { queueName: queue }),
    ...flowView(message.flow),
    ...labelsView(message.labels),
    ...(lastAt === undefined ? {} : { lastScheduleTime: lastAt, lastScheduleStates: schedule.lastStates }),
    ...(nextAt === undefined ? {} : { nextScheduleTime: nextAt }),
  };
}
