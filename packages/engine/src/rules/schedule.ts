import { HEADER, LOWERCASE_HEADER, LOWERCASE_PREFIX, newScheduleId } from "@perdure/core/protocol";
import { type PublishMessage, parseCommand, parseUrlGroupPublish } from "./command.ts";
import { nextTick, toCron } from "./cron.ts";
import { EngineError, invalid } from "./engine-error.ts";
import type { HeaderList } from "./header.ts";
import type { NewMessage } from "./message.ts";
import { toName } from "./name.ts";
import { type PublishRequest, toNewMessage } from "./new-message.ts";
import { type OptionLimits, type Options, readOptions } from "./options.ts";
import type { QueueLimits } from "./queue.ts";
import { isUrlGroupName, type UrlGroup } from "./url-group.ts";

/** A new schedule. At each tick the engine acts as if it had received the schedule's request again. */
export interface NewSchedule {
  readonly id: string;
  /** Five fields, after an optional time zone. */
  readonly cron: string;
  /** A URL, or the name of a URL group. */
  readonly destination: string;
  /** The request's headers with delivery options. Names are in lower case. */
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  readonly createdAt: number;
  readonly callerIp: string;
  /** The limits at the time of the schedule's creation. */
  readonly limits: OptionLimits;
}

export interface Schedule extends NewSchedule {
  readonly paused: boolean;
  /** The time when the schedule last made messages, in milliseconds since 1970. */
  readonly lastAt: number | undefined;
  /** The time of the next tick; `undefined` while the schedule is paused. */
  readonly nextAt: number | undefined;
  /** States of its last messages, by their ids. */
  readonly lastStates: Readonly<Record<string, TickState>>;
}

/** The limits above which the engine refuses a schedule. */
export interface ScheduleLimits extends Pick<QueueLimits, "queues"> {
  /** The most schedules that may exist. */
  readonly schedules: number;
}

export type TickState = "IN_PROGRESS" | "SUCCESS" | "FAIL";

const FORWARD = LOWERCASE_PREFIX.forward;
const OWN = LOWERCASE_PREFIX.own;

/** Returns true if a request asks for a schedule. */
export function isScheduled(headers: ReadonlyMap<string, string>): boolean {
  return headers.has(LOWERCASE_HEADER.cron);
}

/**
 * @param urlGroup the URL group that the request names: each tick goes to the endpoints that it has by then
 * @throws EngineError that names the field
 */
export function parseSchedule(
  request: PublishRequest,
  urlGroup: UrlGroup | undefined,
  limits: OptionLimits,
): NewSchedule {
  const headers = new Map(request.headers);
  const cron = take(headers, HEADER.cron);
  const id = take(headers, HEADER.scheduleId);
  refuse(headers, HEADER.notBefore, "a schedule has times of its own");
  refuse(headers, HEADER.init, "a schedule starts a run by a plain request to its endpoint");
  refuse(headers, HEADER.callType, "a schedule makes no calls of a run");
  // A fault in its messages fails the request now, and not each tick later.
  const [first] = publish({ ...request, headers }, urlGroup, limits);
  if (cron === undefined) throw invalid(HEADER.cron, "a schedule needs a cron expression");
  const { now: createdAt, body, callerIp } = request;
  return {
    id: id === undefined ? newScheduleId() : toName(id, HEADER.scheduleId),
    cron: toCron(cron, HEADER.cron, createdAt),
    destination: urlGroup?.name ?? first?.message.url ?? request.destination,
    headers: ofMessages(headers, readOptions(headers, limits)),
    body,
    createdAt,
    callerIp,
    limits,
  };
}

/**
 * The messages of one tick: none when its URL group no longer exists, or now has headers that the engine
 * refuses.
 */
export function tickCommands(
  schedule: NewSchedule,
  urlGroup: UrlGroup | undefined,
  now: number,
): readonly PublishMessage[] {
  let commands: readonly PublishMessage[];
  try {
    commands = publish(toRequest(schedule, now), urlGroup, schedule.limits);
  } catch (error) {
    if (error instanceof EngineError) return [];
    throw error;
  }
  return commands.map((command) => ({ ...command, message: { ...command.message, schedule: schedule.id } }));
}

/** Returns the message and the delay that the schedule itself sets for all of its messages. */
export function describeSchedule(schedule: NewSchedule): { message: NewMessage; delay: number | undefined } {
  const request = toRequest(schedule, schedule.createdAt);
  const options = readOptions(request.headers, schedule.limits);
  return { message: toNewMessage("message", schedule.destination, options, request), delay: options.delay };
}

/** Returns the time when a schedule next makes messages. A paused schedule skips its ticks for good. */
export function nextOf({ cron, paused }: Pick<Schedule, "cron" | "paused">, now: number): number | undefined {
  return paused ? undefined : nextTick(cron, now);
}

function publish(
  request: PublishRequest,
  urlGroup: UrlGroup | undefined,
  limits: OptionLimits,
): readonly PublishMessage[] {
  if (isUrlGroupName(request.destination))
    return urlGroup ? parseUrlGroupPublish(request, urlGroup, limits) : [];
  const command = parseCommand(request, limits);
  return command.kind === "message" ? [command] : [];
}

function toRequest({ destination, headers, body, callerIp }: NewSchedule, now: number): PublishRequest {
  return { destination, headers: new Map(headers), body, callerIp, now };
}

/** Keeps only the headers for messages, and above all not the token of the request. */
function ofMessages(headers: ReadonlyMap<string, string>, { forward }: Options): HeaderList {
  const own = [...headers].filter(
    ([name]) =>
      name === LOWERCASE_HEADER.contentType ||
      (name.startsWith(OWN) && !name.startsWith(FORWARD) && name !== LOWERCASE_HEADER.headerForward),
  );
  return [...own, ...forward.map(([name, value]) => [FORWARD + name, value] as const)];
}

function take(headers: Map<string, string>, name: string): string | undefined {
  const value = headers.get(name.toLowerCase());
  headers.delete(name.toLowerCase());
  return value;
}

function refuse(headers: ReadonlyMap<string, string>, name: string, reason: string): void {
  if (headers.has(name.toLowerCase())) throw invalid(name, reason);
}
