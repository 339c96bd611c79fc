import { HEADER } from "@perdure/core/protocol";
import { nextTick, toCron } from "./cron.ts";
import { checkDestination } from "./destination.ts";
import { type IntakeRequest, toDraft } from "./draft.ts";
import type { HeaderList } from "./header.ts";
import { newMessageId, newScheduleId } from "./ids.ts";
import { type PlainIntake, toFanOut } from "./intake.ts";
import { checkLimits } from "./limits.ts";
import type { Draft } from "./message.ts";
import { toName } from "./name.ts";
import { type OptionLimits, readOptions } from "./options.ts";
import { invalid, Problem } from "./problem.ts";
import { isTopicName, type Topic } from "./topic.ts";

/** What every message of a schedule has in common. */
export type Template = Omit<Draft, "id" | "notBefore" | "createdAt" | "body" | "schedule">;

/** A schedule as it is accepted. */
export interface ScheduleDraft {
  readonly id: string;
  /** Five fields, perhaps behind a time zone. */
  readonly cron: string;
  readonly destination: string;
  readonly createdAt: number;
  /** Milliseconds that each message waits after its tick. */
  readonly delay: number | undefined;
  readonly template: Template;
  readonly body: Uint8Array | undefined;
  /** Of one to a URL group: those of the request, which are read again for the endpoints that there are at a tick. */
  readonly headers: HeaderList | undefined;
}

export interface Schedule extends ScheduleDraft {
  readonly paused: boolean;
  /** When it made messages last; milliseconds since 1970. */
  readonly lastAt: number | undefined;
  /** `undefined` while it is paused. */
  readonly nextAt: number | undefined;
  /** What became of the messages that it made last, by their ids. */
  readonly lastStates: Readonly<Record<string, TickState>>;
}

export type TickState = "IN_PROGRESS" | "SUCCESS" | "FAIL";

/** Whether a request is to be repeated by the clock. */
export function isScheduled(headers: ReadonlyMap<string, string>): boolean {
  return headers.has(HEADER.cron.toLowerCase());
}

/** @throws Problem 4xx that names the field */
export function toSchedule(request: IntakeRequest, limits: OptionLimits): ScheduleDraft {
  const toGroup = isTopicName(request.destination);
  const destination = toGroup ? request.destination : checkDestination(request.destination, limits);
  const headers = new Map(request.headers);
  const cron = take(headers, HEADER.cron);
  const id = take(headers, HEADER.scheduleId);
  if (cron === undefined) throw invalid(HEADER.cron, "a schedule needs a cron expression");
  refuse(headers, HEADER.notBefore, "a schedule has times of its own");
  refuse(headers, HEADER.init, "a schedule starts a run by a plain request to its endpoint");
  refuse(headers, HEADER.callType, "a schedule makes no calls of a run");
  refuse(headers, HEADER.deduplicationId, "each tick of a schedule is a message of its own");
  refuse(headers, HEADER.contentBasedDeduplication, "each tick of a schedule is a message of its own");
  const options = readOptions(headers, limits);
  if (options.failure && !options.failureUrl) {
    throw invalid(HEADER.failureCallback, "options for it were given, but no url");
  }
  const draft = toDraft("message", destination, options, request);
  checkLimits(draft, request.body, limits);
  const { id: _, notBefore: __, createdAt, body, ...template } = draft;
  return {
    id: id === undefined ? newScheduleId() : toName(id, HEADER.scheduleId),
    cron: toCron(cron, HEADER.cron, request.now),
    destination,
    createdAt,
    delay: options.delay,
    template,
    body,
    headers: toGroup ? [...headers] : undefined,
  };
}

/** What was allowed when a schedule was made is allowed at its ticks. */
const NO_LIMITS: OptionLimits = { retries: Number.POSITIVE_INFINITY };

/**
 * What is to be accepted at one tick.
 *
 * @param topic the URL group that the schedule is for, while there is one
 */
export function tickMessages(schedule: ScheduleDraft, topic: Topic | undefined, now: number): PlainIntake[] {
  const { id, delay, template, body, headers, destination } = schedule;
  if (!headers) {
    const message = { ...template, id: newMessageId(), notBefore: now + (delay ?? 0), createdAt: now };
    return [{ kind: "message", message: { ...message, body, schedule: id }, deduplication: undefined }];
  }
  if (!topic) return [];
  const { callerIp } = template;
  const request = { destination, headers: new Map(headers), body: body ?? new Uint8Array(), callerIp, now };
  return toFanOut(request, topic, NO_LIMITS).map((intake) => ({
    ...intake,
    message: { ...intake.message, schedule: id },
  }));
}

/** When a schedule makes messages next; never while it is paused: those ticks are skipped, not made up for. */
export function nextOf({ cron, paused }: Pick<Schedule, "cron" | "paused">, now: number): number | undefined {
  return paused ? undefined : nextTick(cron, now);
}

/** @throws Problem 412 */
export function refuseSchedule(most: number): never {
  throw new Problem(412, `there are ${most} schedules already, as many as are allowed`);
}

function take(headers: Map<string, string>, name: string): string | undefined {
  const value = headers.get(name.toLowerCase());
  headers.delete(name.toLowerCase());
  return value;
}

function refuse(headers: ReadonlyMap<string, string>, name: string, reason: string): void {
  if (headers.has(name.toLowerCase())) throw invalid(name, reason);
}
