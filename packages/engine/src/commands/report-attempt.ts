import { attemptMessage } from "../rules/report.ts";
import { isFailed, type Settlement } from "../rules/settlement.ts";
import { type MessageRow, toMessage } from "../store/tables/rows.ts";
import type { Tx } from "../store/tx.ts";
import { insertMessage } from "./insert-message.ts";

/**
 * Stores the report of an attempt, where the message's sender has asked for one.
 *
 * @returns the key of the report
 */
export async function reportAttempt(
  tx: Tx,
  row: MessageRow,
  settlement: Settlement,
): Promise<number | undefined> {
  // A run's own deliveries have no callback.
  if (row.kind === "step" || row.kind === "answer") return undefined;
  if (settlement.kind !== "delivered" && !isFailed(settlement)) return undefined;
  const reply = settlement.kind === "delivered" ? settlement.reply : settlement.failure.reply;
  const failure = settlement.kind === "delivered" ? undefined : settlement.failure;
  const report = attemptMessage(toMessage(row), { at: tx.now, reply, failure });
  return report && (await insertMessage(tx, report, { source: row }));
}
