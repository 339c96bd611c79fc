import type { HeaderList } from "../../domain/header.ts";
import type { OptionLimits } from "../../domain/options.ts";
import {
  describeSchedule,
  nextOf,
  refuseSchedule,
  type Schedule,
  type ScheduleDraft,
  type TickState,
  tickIntakes,
} from "../../domain/schedule.ts";
import type { ScheduleLimits, Schedules } from "../controls.ts";
import type { Database, Due } from "./database.ts";
import { knownAgain } from "./deduplications.ts";
import { insertMessage } from "./messages.ts";
import { ensureQueue } from "./queues.ts";
import { topic } from "./topics.ts";
import type { Writer } from "./writer.ts";

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
const MOST = 1000;

export function scheduleControl(db: Database, writer: Writer, due: Due): Schedules {
  return {
    list: async () => db.all<ScheduleRow>("SELECT * FROM schedules ORDER BY key").map(toSchedule),
    get: async (id) => find(db, id),
    put: (schedule, limits) => writer.write(() => put(db, schedule, limits, due)),
    pause: (id, paused, now) => writer.write(() => pause(db, id, paused, now, due)),
    delete: (id) =>
      writer.write(() => {
        db.run("DELETE FROM schedules WHERE id = ?", id);
      }),
  };
}

/**
 * Stores the messages of the schedules whose time has come, with the time of each one's next tick. However many ticks
 * were missed while nothing ran, one is made up for.
 */
export function tick(db: Database, now: number): void {
  const rows = db.all<ScheduleRow>(
    "SELECT * FROM schedules WHERE next_at <= ? ORDER BY next_at, key LIMIT ?",
    now,
    MOST,
  );
  for (const row of rows) {
    const schedule = toSchedule(row);
    const intakes = tickIntakes(schedule, topic(db, schedule.destination), now);
    const fresh = intakes.filter((intake) => !knownAgain(db, intake));
    // They are due by the claim that this is part of, or told as what is next.
    for (const { message } of fresh) insertMessage(db, message, () => {});
    const states = fresh.map(({ message }): [string, TickState] => [message.id, "IN_PROGRESS"]);
    db.run(
      "UPDATE schedules SET last_at = ?, next_at = ?, last_states = ? WHERE key = ?",
      now,
      nextOf(schedule, now) ?? null,
      JSON.stringify(Object.fromEntries(states)),
      row.key,
    );
  }
}

/** When the next schedule ticks. */
export function nextTickAt(db: Database): number | undefined {
  return db.get<{ at: number }>(
    "SELECT next_at AS at FROM schedules WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1",
  )?.at;
}

/** Notes what became of a message, if it is of the latest tick. */
export function recordTickState(db: Database, id: string, messageId: string, state: TickState): void {
  const states = find(db, id)?.lastStates;
  if (states?.[messageId] === undefined) return;
  db.run(
    "UPDATE schedules SET last_states = ? WHERE id = ?",
    JSON.stringify({ ...states, [messageId]: state }),
    id,
  );
}

function put(db: Database, schedule: ScheduleDraft, limits: ScheduleLimits, due: Due): void {
  const { id, cron, destination, createdAt } = schedule;
  const old = find(db, id);
  if (!old) {
    const { count } = db.get<{ count: number }>("SELECT count(*) AS count FROM schedules") as {
      count: number;
    };
    if (count >= limits.schedules) refuseSchedule(limits.schedules);
  }
  const { queue } = describeSchedule(schedule).message;
  if (queue !== undefined) ensureQueue(db, queue, createdAt, limits.queues);
  const next = nextOf({ cron, paused: old?.paused ?? false }, createdAt);
  db.run(
    `INSERT INTO schedules (id, cron, destination, headers, body, created_at, caller_ip, limits, next_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET cron = excluded.cron, destination = excluded.destination,
       headers = excluded.headers, body = excluded.body, caller_ip = excluded.caller_ip,
       limits = excluded.limits, next_at = excluded.next_at`,
    id,
    cron,
    destination,
    JSON.stringify(schedule.headers),
    schedule.body,
    createdAt,
    schedule.callerIp,
    // JSON has no word for "any number".
    JSON.stringify(schedule.limits, (_, value) => (value === Infinity ? Number.MAX_VALUE : value)),
    next ?? null,
  );
  if (next !== undefined) due(next);
}

function pause(db: Database, id: string, paused: boolean, now: number, due: Due): boolean {
  const schedule = find(db, id);
  if (!schedule) return false;
  // Resumed twice, it ticks as if resumed once.
  if (schedule.paused === paused) return true;
  const next = nextOf({ cron: schedule.cron, paused }, now);
  db.run("UPDATE schedules SET paused = ?, next_at = ? WHERE id = ?", paused ? 1 : 0, next ?? null, id);
  if (next !== undefined) due(next);
  return true;
}

function find(db: Database, id: string): Schedule | undefined {
  const row = db.get<ScheduleRow>("SELECT * FROM schedules WHERE id = ?", id);
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
