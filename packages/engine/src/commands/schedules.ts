import { describeSchedule, type NewSchedule, nextOf, scheduleLimitReached } from "../rules/schedule.ts";
import type { ScheduleLimits, Schedules } from "../store/controls.ts";
import type { Driver } from "../store/driver.ts";
import { type ScheduleRow, scheduleOf, toSchedule } from "../store/tables/schedules.ts";
import { sql, type Tx } from "../store/tx.ts";
import { ensureQueue } from "./ensure-queue.ts";

export function scheduleControl(driver: Driver): Schedules {
  return {
    list: () =>
      driver.read(async (tx) => {
        const rows = await tx.all<ScheduleRow>(sql`SELECT * FROM schedules ORDER BY key`);
        return rows.map(toSchedule);
      }),
    get: (id) => driver.read((tx) => scheduleOf(tx, id)),
    put: (schedule, limits) => driver.write((tx) => putSchedule(tx, schedule, limits)),
    pause: (id, paused) => driver.write((tx) => pauseSchedule(tx, id, paused)),
    delete: (id) =>
      driver.write(async (tx) => {
        await tx.run(sql`DELETE FROM schedules WHERE id = ${id}`);
      }),
  };
}

async function putSchedule(tx: Tx, schedule: NewSchedule, limits: ScheduleLimits): Promise<void> {
  const { id, cron, destination, createdAt } = schedule;
  await tx.lock("schedule", id);
  const old = await scheduleOf(tx, id);
  if (!old) {
    const counted = await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM schedules`);
    if ((counted?.count ?? 0) >= limits.schedules) scheduleLimitReached(limits.schedules);
  }
  const { queue } = describeSchedule(schedule).message;
  if (queue !== undefined) await ensureQueue(tx, queue, limits.queues);
  const next = nextOf({ cron, paused: old?.paused ?? false }, createdAt);
  await tx.run(sql`INSERT INTO schedules (id, cron, destination, headers, body, created_at, caller_ip, limits, next_at)
     VALUES (${id}, ${cron}, ${destination}, ${JSON.stringify(schedule.headers)}, ${schedule.body}, ${createdAt}, ${schedule.callerIp}, ${JSON.stringify(schedule.limits, (_, value) => (value === Infinity ? Number.MAX_VALUE : value))}, ${next ?? null})
     ON CONFLICT (id) DO UPDATE SET cron = excluded.cron, destination = excluded.destination,
       headers = excluded.headers, body = excluded.body, caller_ip = excluded.caller_ip,
       limits = excluded.limits, next_at = excluded.next_at`);
  if (next !== undefined) tx.wakeAt(next);
}

async function pauseSchedule(tx: Tx, id: string, paused: boolean): Promise<boolean> {
  const schedule = await scheduleOf(tx, id);
  if (!schedule) return false;
  // To resume a schedule that runs changes nothing: its next time stays.
  if (schedule.paused === paused) return true;
  const next = nextOf({ cron: schedule.cron, paused }, tx.now);
  await tx.run(
    sql`UPDATE schedules SET paused = ${paused ? 1 : 0}, next_at = ${next ?? null} WHERE id = ${id}`,
  );
  if (next !== undefined) tx.wakeAt(next);
  return true;
}
