import { limitReached } from "../rules/engine-error.ts";
import type { HeaderList } from "../rules/header.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import type { OptionLimits } from "../rules/options.ts";
import type { ScheduleLimits } from "../rules/schedule.ts";
import {
  describeSchedule,
  type NewSchedule,
  nextOf,
  parseSchedule,
  type Schedule,
  type TickState,
  tickCommands,
} from "../rules/schedule.ts";
import { isUrlGroupName, unknownDestination } from "../rules/url-group.ts";
import * as inOrder from "../store/in-order.ts";
import { sql, type Tx } from "../store/tx.ts";
import { findDuplicate } from "./deduplicate.ts";
import { insertMessage } from "./messages.ts";
import { ensureQueue } from "./queue-places.ts";
import { getUrlGroup } from "./url-groups.ts";

interface ScheduleRow {
  readonly key: number;
  readonly id: string;
  readonly cron: string;
  readonly destination: string;
  readonly headers: string;
  readonly body: Uint8Array;
  readonly created_at: number;
  readonly caller_ip: string;
  readonly limits: string;
  readonly paused: number;
  readonly last_at: number | null;
  readonly next_at: number | null;
  readonly last_states: string;
}

/** Schedules that tick in one go. */
const MAX_TICKS_AT_ONCE = 1000;

/** The schedules, the oldest first. */
export async function listSchedules(tx: Tx): Promise<Schedule[]> {
  const rows = await tx.all<ScheduleRow>(sql`SELECT * FROM schedules ORDER BY key`);
  return rows.map(toSchedule);
}

/** Deletes a schedule. The messages that it has made go on. */
export async function deleteSchedule(tx: Tx, id: string): Promise<void> {
  await tx.run(sql`DELETE FROM schedules WHERE id = ${id}`);
}

/**
 * Stores the messages of the schedules whose time has come, with the time of each one's next tick. However many ticks
 * were missed while nothing ran, one is made up for.
 */
export async function tick(tx: Tx): Promise<void> {
  const rows = await tx.all<ScheduleRow>(
    sql`SELECT * FROM schedules WHERE next_at <= ${tx.now} ORDER BY next_at, key LIMIT ${MAX_TICKS_AT_ONCE}`,
  );
  for (const { id } of rows) {
    await tx.lock("schedule", id);
    // Another engine may have made this tick meanwhile.
    const schedule = await getSchedule(tx, id);
    if (schedule?.nextAt === undefined || schedule.nextAt > tx.now) continue;
    const commands = tickCommands(schedule, await getUrlGroup(tx, schedule.destination), tx.now);
    const fresh = await inOrder.filter(commands, async (command) => !(await findDuplicate(tx, command)));
    // They are due by the claim that this is part of, or told as what is next.
    for (const { message } of fresh) await insertMessage(tx, message);
    const states = fresh.map(({ message }): [string, TickState] => [message.id, "IN_PROGRESS"]);
    await tx.run(
      sql`UPDATE schedules SET last_at = ${tx.now}, next_at = ${nextOf(schedule, tx.now) ?? null}, last_states = ${JSON.stringify(Object.fromEntries(states))} WHERE id = ${id}`,
    );
  }
}

/** When the next schedule ticks. */
export async function nextTickAt(tx: Tx): Promise<number | undefined> {
  return (
    await tx.one<{ at: number }>(
      sql`SELECT next_at AS at FROM schedules WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1`,
    )
  )?.at;
}

/** Notes what became of a message, if it is of the latest tick. */
export async function recordTickState(
  tx: Tx,
  id: string,
  messageId: string,
  state: TickState,
): Promise<void> {
  const states = (await getSchedule(tx, id))?.lastStates;
  if (states?.[messageId] === undefined) return;
  await tx.run(
    sql`UPDATE schedules SET last_states = ${JSON.stringify({ ...states, [messageId]: state })} WHERE id = ${id}`,
  );
}

/**
 * Makes a schedule, and its queue. One of the same id is replaced: it stays as old, and as paused, as it was.
 *
 * @returns its id
 * @throws EngineError that names the field; `limit_reached` when it would be one too many
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
  const old = await getSchedule(tx, id);
  if (!old) {
    const { count } = (await tx.one<{ count: number }>(sql`SELECT count(*) AS count FROM schedules`)) as {
      count: number;
    };
    if (count >= limits.schedules) throw limitReached("schedule", limits.schedules);
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

/** Pauses a schedule, or resumes it: ticks are skipped while it is paused. @returns false when there is no such schedule */
export async function pauseSchedule(tx: Tx, id: string, paused: boolean): Promise<boolean> {
  const schedule = await getSchedule(tx, id);
  if (!schedule) return false;
  // Resumed twice, it ticks as if resumed once.
  if (schedule.paused === paused) return true;
  const next = nextOf({ cron: schedule.cron, paused }, tx.now);
  await tx.run(
    sql`UPDATE schedules SET paused = ${paused ? 1 : 0}, next_at = ${next ?? null} WHERE id = ${id}`,
  );
  if (next !== undefined) tx.wakeAt(next);
  return true;
}

export async function getSchedule(tx: Tx, id: string): Promise<Schedule | undefined> {
  const row = await tx.one<ScheduleRow>(sql`SELECT * FROM schedules WHERE id = ${id}`);
  return row && toSchedule(row);
}

function toSchedule(row: ScheduleRow): Schedule {
  return {
    id: row.id,
    cron: row.cron,
    destination: row.destination,
    headers: JSON.parse(row.headers) as HeaderList,
    body: row.body,
    createdAt: row.created_at,
    callerIp: row.caller_ip,
    limits: JSON.parse(row.limits) as OptionLimits,
    paused: row.paused === 1,
    lastAt: row.last_at ?? undefined,
    nextAt: row.next_at ?? undefined,
    lastStates: JSON.parse(row.last_states) as Schedule["lastStates"],
  };
}
