import type { HeaderList } from "../../rules/header.ts";
import type { OptionLimits } from "../../rules/options.ts";
import type { Schedule } from "../../rules/schedule.ts";
import { sql, type Tx } from "../tx.ts";

export interface ScheduleRow {
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

export async function scheduleOf(tx: Tx, id: string): Promise<Schedule | undefined> {
  const row = await tx.one<ScheduleRow>(sql`SELECT * FROM schedules WHERE id = ${id}`);
  return row && toSchedule(row);
}

export function toSchedule(row: ScheduleRow): Schedule {
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
