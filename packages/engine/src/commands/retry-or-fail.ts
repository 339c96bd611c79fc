import type { FailedDelivery } from "../rules/settlement.ts";
import type { Settled } from "../store/claims.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import type { Tx } from "../store/tx.ts";
import { failMessage } from "./fail-message.ts";
import { retryLater } from "./retry-later.ts";

/**
 * Records a failed attempt: the message is retried, or has failed.
 *
 * @param excerpt bytes of the answer that the record of the failure keeps
 */
export async function retryOrFail(
  tx: Tx,
  row: MessageRow,
  failed: FailedDelivery,
  excerpt: number,
): Promise<Settled> {
  return failed.kind === "retry"
    ? retryLater(tx, row, failed, excerpt)
    : failMessage(tx, row, failed.failure, excerpt);
}
