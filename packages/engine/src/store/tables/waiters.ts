import type { NewWait } from "../../rules/wait.ts";
import { type Sql, sql } from "../tx.ts";

/** A step that waits for an event, or that sleeps. */
export interface WaiterRow {
  readonly seq: number;
  readonly run: number;
  /** `null` for a sleep. */
  readonly event: string | null;
  readonly wait: string;
}

/** The waits that haven't ended: conditions follow it. */
export const OPEN_WAITS: Sql = sql`SELECT seq, run, event, wait FROM waiters WHERE open = 1`;

/** The same, each with the id of its run. */
export const OPEN_WAITS_OF_RUNS: Sql = sql`SELECT seq, run, event, wait, (SELECT id FROM runs WHERE key = waiters.run) AS run_id
  FROM waiters WHERE open = 1`;

export function toWait({ wait }: WaiterRow): NewWait {
  return JSON.parse(wait) as NewWait;
}
