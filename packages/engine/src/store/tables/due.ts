import { type MessageKind, POST_RUN_KINDS } from "../../rules/message.ts";
import {
  type DueStatus,
  HELD,
  type MessageEvent,
  type Outcome,
  STATUS,
  statusAfter,
} from "../../rules/message-status.ts";
import type { Lease } from "../claims.ts";
import { constants, type Sql, sql, type Tx } from "../tx.ts";

/** The condition on `due` that a message follows the end of its run. */
export const IS_POST_RUN: Sql = sql`due.kind IN (${constants<MessageKind>(...POST_RUN_KINDS)})`;

/** The condition on `due` that a message isn't at its end: a withdrawn one is, although it keeps its lease. */
export const IS_UNFINISHED: Sql = sql`due.status <> ${STATUS.withdrawn}`;

/** The condition on `due` that a claim takes the message when its time comes. Engines watch their leases themselves. */
export const WAITS_FOR_CLAIM: Sql = sql`due.at IS NOT NULL AND due.status <> ${STATUS.delivering}`;

/** The condition on `due` that a queue, a flow control key or a destination holds the message back. */
export const IS_HELD: Sql = sql`due.status IN (${constants<DueStatus>(...HELD)})`;

/** The condition on `due` that a lease still holds: no claim has come after it. */
export function isUnder({ messageId, fence }: Lease): Sql {
  // A new message may get the key of a deleted one, but never its id.
  return sql`due.message = (SELECT seq FROM messages WHERE id = ${messageId}) AND due.fence = ${fence}`;
}

/** Sets the status that a message has after an event. */
export function statusOn(event: MessageEvent): Sql {
  const status = statusAfter(event);
  return status === STATUS.scheduled
    ? sql`status = CASE retried WHEN 0 THEN ${STATUS.scheduled} ELSE ${STATUS.retrying} END`
    : sql`status = ${status}`;
}

/** Lets a held message go: it is due when it was due before it was held back. */
export function letGoOn(event: Extract<MessageEvent, "dequeue" | "unthrottle" | "undefer">): Sql {
  return sql`${statusOn(event)}, at = since, since = NULL`;
}

/** Holds a message back: no claim sees it, and `since` keeps when it was due. */
export function holdBackOn(event: Extract<MessageEvent, "enqueue" | "throttle" | "defer">): Sql {
  return sql`${statusOn(event)}, since = coalesce(since, at), at = NULL`;
}

const RETRIED = sql`retried`;
const FENCE = sql`fence`;

/** The end of a message. */
export interface Finish {
  readonly outcome: Outcome;
  /** Milliseconds since 1970; `null` keeps the message for as long as something refers to it. */
  readonly deleteAfter: number | null;
}

/** The columns of `due` that count the attempts of a message. */
interface Counts {
  readonly retried: number;
  readonly fence: number;
}

/** Ends a message: the engine makes no more attempts. @param counts where the caller knows them */
export async function finishMessage(
  tx: Tx,
  seq: number,
  { outcome, deleteAfter, counts }: Finish & { readonly counts?: Counts },
): Promise<void> {
  const column = (name: Sql): Sql => sql`coalesce((SELECT ${name} FROM due WHERE message = ${seq}), 0)`;
  tx.send(
    sql`UPDATE messages SET outcome = ${outcome}, delete_after = ${deleteAfter},
      retried = ${counts ? counts.retried : column(RETRIED)}, attempts = ${counts ? counts.fence : column(FENCE)}
      WHERE seq = ${seq}`,
  );
  tx.send(sql`DELETE FROM due WHERE message = ${seq}`);
}

/**
 * Ends all messages that match.
 *
 * @param where a condition on `due`
 * @returns how many match
 */
export async function finishMessages(tx: Tx, where: Sql, finish: Finish): Promise<number> {
  const count = await setOutcome(tx, where, finish);
  tx.send(sql`DELETE FROM due WHERE ${where}`);
  return count;
}

/** Writes the outcome of messages whose rows in `due` the caller deletes or keeps. @returns how many match */
export async function setOutcome(tx: Tx, where: Sql, { outcome, deleteAfter }: Finish): Promise<number> {
  return tx.run(
    sql`UPDATE messages SET outcome = ${outcome}, delete_after = ${deleteAfter}, retried = due.retried,
      attempts = due.fence FROM due
      WHERE due.message = messages.seq AND due.message IN (SELECT message FROM due WHERE ${where})`,
  );
}
