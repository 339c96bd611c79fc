import type { NewSleep, NewWait } from "../../rules/wait.ts";
import { type Sql, sql } from "../tx.ts";

/** The condition on `waiters` that a wait hasn't ended. */
export const IS_OPEN: Sql = sql`open = 1`;

/** A step that waits for an event, or that sleeps. */
export interface WaiterRow {
  readonly seq: number;
  readonly run: number;
  /** `null` for a sleep. */
  readonly event: string | null;
  readonly wait: string;
  readonly created_at: number;
}

/** The waits that haven't ended: conditions follow it. */
export const OPEN_WAITS: Sql = sql`SELECT seq, run, event, wait, created_at FROM waiters WHERE open = 1`;

/** The same, each with the id of its run. */
export const OPEN_WAITS_OF_RUNS: Sql = sql`SELECT seq, run, event, wait, created_at, (SELECT id FROM runs WHERE key = waiters.run) AS run_id
  FROM waiters WHERE open = 1`;

/** The wait of a row with an event. */
export function toWait({ wait }: Pick<WaiterRow, "wait">): NewWait {
  return JSON.parse(wait) as NewWait;
}

/** The sleep of a row without an event. */
export function toSleep({ wait }: Pick<WaiterRow, "wait">): NewSleep {
  return JSON.parse(wait) as NewSleep;
}
