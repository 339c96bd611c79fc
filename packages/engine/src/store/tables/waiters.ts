import type { NewWait } from "../../rules/wait.ts";
import { type Sql, sql } from "../tx.ts";

/** A step that waits for an event. */
export interface WaiterRow {
  readonly seq: number;
  readonly run: number;
  readonly wait: string;
}

/** The waits that haven't ended: conditions follow it. */
export const OPEN_WAITS: Sql = sql`SELECT seq, run, wait FROM waiters WHERE open = 1`;

export function toWait({ wait }: WaiterRow): NewWait {
  return JSON.parse(wait) as NewWait;
}
