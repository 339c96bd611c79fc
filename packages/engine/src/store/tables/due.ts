import { type MessageEvent, type Outcome, statusAfter } from "../../rules/message-status.ts";
import type { Lease } from "../claims.ts";
import { type Sql, sql, type Tx } from "../tx.ts";

/** The status of a message that a claim may take at its time: as `transition()` has it, a failed one is `retrying`. */
export const WAITING_STATUS: Sql = sql`CASE retried WHEN 0 THEN 'scheduled' ELSE 'retrying' END`;

/** Gives a message the status that it has after an event. */
export function transitionTo(event: MessageEvent): Sql {
  const status = statusAfter(event);
  return status === "scheduled" ? sql`status = ${WAITING_STATUS}` : sql`status = ${status}`;
}

/** True for messages that follow a run's end. */
export const IS_POST_RUN: Sql = sql`kind IN ('failure', 'rollback', 'cancel')`;

/** Makes a message that waits for something else due when it would have been without that. */
export const RESUME: Sql = sql`${transitionTo("dequeue")}, at = since, since = NULL`;

/** Takes a message out of the claims' sight, and keeps when it was due. */
export function suspend(event: Extract<MessageEvent, "enqueue" | "throttle" | "defer">): Sql {
  return sql`${transitionTo(event)}, since = coalesce(since, at), at = NULL`;
}

/** The lease still holds: no other claim has come after it. */
export function underLease({ messageId, fence }: Lease): Sql {
  // Places are given again once they are free, ids never.
  return sql`message = (SELECT seq FROM messages WHERE id = ${messageId}) AND fence = ${fence}`;
}

/** A message as it is at its end. */
export interface Finish {
  readonly outcome: Outcome;
  /** Milliseconds since 1970; `null` keeps it for as long as something refers to it. */
  readonly deleteAfter: number | null;
}

/** Nothing is to be done for a message any more. */
export async function finishMessage(tx: Tx, seq: number, { outcome, deleteAfter }: Finish): Promise<void> {
  const due = await tx.one<{ retried: number; fence: number }>(
    sql`DELETE FROM due WHERE message = ${seq} RETURNING retried, fence`,
  );
  await tx.run(
    sql`UPDATE messages SET outcome = ${outcome}, delete_after = ${deleteAfter}, retried = ${due?.retried ?? 0},
      attempts = ${due?.fence ?? 0} WHERE seq = ${seq}`,
  );
}

/**
 * As {@link finishMessage}, of all that match.
 *
 * @param where a condition on `due`
 * @returns how many they are
 */
export async function finishMessages(tx: Tx, where: Sql, finish: Finish): Promise<number> {
  const count = await noteOutcome(tx, where, finish);
  await tx.run(sql`DELETE FROM due WHERE ${where}`);
  return count;
}

/** Writes down how messages end for which something is to be done yet. @returns how many they are */
export async function noteOutcome(tx: Tx, where: Sql, { outcome, deleteAfter }: Finish): Promise<number> {
  return tx.run(
    sql`UPDATE messages SET outcome = ${outcome}, delete_after = ${deleteAfter}, retried = due.retried,
      attempts = due.fence FROM due
      WHERE due.message = messages.seq AND due.message IN (SELECT message FROM due WHERE ${where})`,
  );
}
