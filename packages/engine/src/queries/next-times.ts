import { WAITS_FOR_CLAIM } from "../store/tables/due.ts";
import { IS_LIVE } from "../store/tables/runs.ts";
import { type Sql, sql, type Tx } from "../store/tx.ts";
import { PENDING } from "./pending.ts";

/** When the next of each kind of work comes due, in milliseconds since 1970; `null` for never. */
export interface NextTimes {
  /** A message is due. */
  readonly message: number | null;
  /** A schedule makes messages. */
  readonly schedule: number | null;
  /** A wait times out. */
  readonly wait: number | null;
  /** A run reaches its time limit. */
  readonly run: number | null;
  /** A flow control key for which messages wait begins a new period. */
  readonly flow: number | null;
}

const SCHEDULE = sql`(SELECT next_at FROM schedules WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1)`;
const WAIT = sql`(SELECT deadline FROM waiters WHERE ${PENDING.wait} ORDER BY deadline LIMIT 1)`;
const RUN = sql`(SELECT deadline FROM runs WHERE deadline IS NOT NULL AND ${IS_LIVE} ORDER BY deadline LIMIT 1)`;
const FLOW = sql`(SELECT wake_at FROM flows WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1)`;

/** When the next of each kind of work comes due: the first entry of five indexes, in one statement. */
export async function nextTimes(tx: Tx): Promise<NextTimes> {
  const times = await tx.one<NextTimes>(sql`SELECT
    (SELECT at FROM due WHERE ${WAITS_FOR_CLAIM} ORDER BY at LIMIT 1) AS message,
    ${SCHEDULE} AS schedule, ${WAIT} AS wait, ${RUN} AS run, ${FLOW} AS flow`);
  return times ?? { message: null, schedule: null, wait: null, run: null, flow: null };
}

/** The condition that nothing but messages is due. */
export function onlyMessagesAreDue(now: number): Sql {
  const later = now + 1;
  return sql`coalesce(${SCHEDULE}, ${later}) > ${now} AND coalesce(${WAIT}, ${later}) > ${now}
    AND coalesce(${RUN}, ${later}) > ${now} AND coalesce(${FLOW}, ${later}) > ${now}`;
}

/** The earliest of these times. */
export function earliest(times: NextTimes): number | undefined {
  const known = Object.values(times).filter((time): time is number => time !== null);
  return known.length > 0 ? Math.min(...known) : undefined;
}
