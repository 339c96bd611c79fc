import { isLogged, type LogState } from "../../domain/log.ts";
import type { Database } from "./database.ts";
import type { MessageRow } from "./rows.ts";

/** What a change of state brings with it. */
export interface Change {
  /** For an attempt that failed: how many had failed before. */
  readonly attempt?: number;
  /** When the next attempt is to be made. */
  readonly dueAt?: number;
}

/** Tells the log that a message is in another state now: in the transaction that brings it there. */
export function logState(
  db: Database,
  { seq, purpose }: Pick<MessageRow, "seq" | "purpose">,
  state: LogState,
  at: number,
  { attempt, dueAt }: Change = {},
): void {
  if (!isLogged(purpose)) return;
  db.run(
    "INSERT INTO logs (message, state, at, attempt, due_at) VALUES (?, ?, ?, ?, ?)",
    seq,
    state,
    at,
    attempt ?? null,
    dueAt ?? null,
  );
}

/** Tells it of the calls that the end of a run takes back. */
export function logWithdrawn(db: Database, run: number, at: number): void {
  db.run(
    `INSERT INTO logs (message, state, at) SELECT seq, 'CANCELLED', ? FROM messages
     WHERE run = ? AND state <> 'DELIVERED' AND due_at IS NOT NULL AND purpose = 'call'`,
    at,
    run,
  );
}

/** Tells it of the messages that are taken back all at once: those that `which` is true of. */
export function logCanceled(db: Database, which: string, at: number, ...values: string[]): void {
  db.run(
    `INSERT INTO logs (message, state, at)
     SELECT seq, steps.value, ? FROM messages, json_each('["CANCEL_REQUESTED", "CANCELLED"]') AS steps
     WHERE ${which} ORDER BY seq, steps.key`,
    at,
    ...values,
  );
}
