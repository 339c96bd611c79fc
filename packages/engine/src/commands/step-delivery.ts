import type { Run } from "../rules/run.ts";
import { finishMessage } from "../store/tables/due.ts";
import type { HistoryEnd } from "../store/tables/entries.ts";
import { logState } from "../store/tables/logs.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import type { Tx } from "../store/tx.ts";

/** A delivery of a live run's history. */
export interface StepDelivery {
  readonly row: MessageRow;
  /** The run as this transaction sees it. */
  readonly run: Run;
  /** The end of the run's history, when an invocation has answered. */
  readonly end?: HistoryEnd | undefined;
}

/** Ends a delivery that has had its effect. */
export async function finishDelivery(tx: Tx, row: MessageRow): Promise<void> {
  await finishMessage(tx, row.seq, { outcome: "DELIVERED", deleteAfter: tx.now, counts: row });
  await logState(tx, row, "DELIVERED");
}
