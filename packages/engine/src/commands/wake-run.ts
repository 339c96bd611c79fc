import { newMessageId } from "@perdure/core/protocol";
import type { MessageKind } from "../rules/message.ts";
import { type DueStatus, STATUS } from "../rules/message-status.ts";
import { deliveryOf, inherit, type Run } from "../rules/run.ts";
import { IS_UNFINISHED } from "../store/tables/due.ts";
import { lastEntry } from "../store/tables/entries.ts";
import { sql, type Tx } from "../store/tx.ts";
import { insertMessage } from "./insert-message.ts";

const STEP: MessageKind = "step";

/**
 * Wakes a run that its endpoint runs inline, after a new entry in its history, or at a due time:
 *
 * 1. While an invocation holds the run, nothing is done: the invocation learns of the entry by its next append, or its
 *    end finds the entry.
 * 2. A delivery that is due later is due now. One that follows a failed attempt keeps its time.
 * 3. Where there is no delivery, a new one is due.
 *
 * @param run as it is in this transaction
 */
export async function wakeRun(tx: Tx, run: Run): Promise<void> {
  if (run.holder !== undefined) return;
  const next = await tx.one<{ message: number; status: DueStatus; at: number | null }>(
    sql`SELECT message, status, at FROM due WHERE run = ${run.key} AND kind = ${STEP} AND ${IS_UNFINISHED}
      ORDER BY message LIMIT 1`,
  );
  if (!next) {
    await insertDelivery(tx, run, tx.now);
    return;
  }
  if (next.status !== STATUS.scheduled || next.at === null || next.at <= tx.now) return;
  await tx.run(sql`UPDATE due SET at = ${tx.now} WHERE message = ${next.message}`);
  tx.wakeAt(tx.now);
}

/** Stores a delivery of a run's whole history. @param at when it is due, in milliseconds since 1970 */
export async function insertDelivery(tx: Tx, run: Run, at: number): Promise<void> {
  const last = await lastEntry(tx, run.key);
  const message = { ...deliveryOf(run, "step", tx.now), id: newMessageId(), notBefore: at };
  await insertMessage(tx, inherit(message, run), { run: run.key, ...(last ? { entry: last.seq } : {}) });
}
