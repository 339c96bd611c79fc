import { limitReached, notFound } from "../rules/engine-error.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import type { OptionLimits } from "../rules/options.ts";
import {
  describeSchedule,
  type NewSchedule,
  nextOf,
  parseSchedule,
  type Schedule,
  type ScheduleLimits,
} from "../rules/schedule.ts";
import { isUrlGroupName, unknownDestination } from "../rules/url-group.ts";
import { type ScheduleRow, scheduleOf, toSchedule } from "../store/tables/schedules.ts";
import { mapInSlices } from "../store/time-slices.ts";
import { sql, type Tx } from "../store/tx.ts";
import { ensureQueue } from "./ensure-queue.ts";
import { getUrlGroup } from "./url-groups.ts";

/** The schedules, the oldest first. */
export async function listSchedules(tx: Tx): Promise<Schedule[]> {
  const rows = await tx.many<ScheduleRow>(sql`SELECT * FROM schedules ORDER BY key`);
  return mapInSlices(rows, toSchedule);
}

/** Deletes a schedule. The messages that it has made go on. */
export async function deleteSchedule(tx: Tx, id: string): Promise<void> {
  await tx.lock("schedule", id);
  await tx.run(sql`DELETE FROM schedules WHERE id = ${id}`);
}

/**
 * Creates a schedule, and its queue. A schedule with the same id is replaced: its age and its pause stay.
 *
 * @returns its id
 * @throws EngineError that names the field; `limit_reached` when there are as many schedules already
 */
export async function createSchedule(
  tx: Tx,
  request: PublishRequest,
  limits: ScheduleLimits & OptionLimits,
): Promise<string> {
  const { destination } = request;
  const urlGroup = isUrlGroupName(destination) ? await getUrlGroup(tx, destination) : undefined;
  if (isUrlGroupName(destination) && !urlGroup) throw unknownDestination(destination);
  const schedule = parseSchedule(request, urlGroup, limits);
  await putSchedule(tx, schedule, limits);
  return schedule.id;
}

async function putSchedule(tx: Tx, schedule: NewSchedule, limits: ScheduleLimits): Promise<void> {
  const { id, cron, destination, createdAt } = schedule;
  await tx.lock("schedule", id);
  const old = await scheduleOf(tx, id);
  const { queue } = describeSchedule(schedule).message;
  if (queue !== undefined) await ensureQueue(tx, queue, limits.queues);
  if (!old) {
    // Two new schedules must not both be the last one that the limit allows.
    await tx.lock("setting", "schedules");
    const counted = await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM schedules`);
    if ((counted?.count ?? 0) >= limits.schedules) throw limitReached("schedule", limits.schedules);
  }
  const next = nextOf({ cron, paused: old?.paused ?? false }, createdAt);
  await tx.run(sql`INSERT INTO schedules (id, cron, destination, headers, body, created_at, caller_ip, limits, next_at)
     VALUES (${id}, ${cron}, ${destination}, ${JSON.stringify(schedule.headers)}, ${schedule.body}, ${createdAt}, ${schedule.callerIp}, ${JSON.stringify(schedule.limits, (_, value) => (value === Infinity ? Number.MAX_VALUE : value))}, ${next ?? null})
     ON CONFLICT (id) DO UPDATE SET cron = excluded.cron, destination = excluded.destination,
       headers = excluded.headers, body = excluded.body, caller_ip = excluded.caller_ip,
       limits = excluded.limits, next_at = excluded.next_at`);
  if (next !== undefined) tx.wakeAt(next);
}

/** Pauses a schedule, or resumes it: ticks are skipped while it is paused. @throws EngineError `not_found` */
export async function pauseSchedule(tx: Tx, id: string, paused: boolean): Promise<void> {
  await tx.lock("schedule", id);
  const schedule = await scheduleOf(tx, id);
  if (!schedule) throw notFound(`schedule ${id}`);
  // To resume a schedule that runs changes nothing: its next time stays.
  if (schedule.paused === paused) return;
  const next = nextOf({ cron: schedule.cron, paused }, tx.now);
  await tx.run(
    sql`UPDATE schedules SET paused = ${paused ? 1 : 0}, next_at = ${next ?? null} WHERE id = ${id}`,
  );
  if (next !== undefined) tx.wakeAt(next);
}
