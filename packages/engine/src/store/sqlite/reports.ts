import type { Settlement } from "../../domain/outcome.ts";
import { attemptMessage } from "../../domain/report.ts";
import type { Database } from "./database.ts";
import { type Due, insertMessage } from "./messages.ts";
import { type MessageRow, toMessage } from "./rows.ts";

/**
 * Has an attempt reported where that was asked for.
 *
 * @returns the place of the message that reports it
 */
export function reportAttempt(
  db: Database,
  row: MessageRow,
  settlement: Settlement,
  now: number,
  due: Due,
): number | undefined {
  if (row.callback === null || settlement.kind === "called" || settlement.kind === "rolledBack")
    return undefined;
  const reply = settlement.kind === "delivered" ? settlement.reply : settlement.failure.reply;
  const failure = settlement.kind === "delivered" ? undefined : settlement.failure;
  const report = attemptMessage(toMessage(row), { at: now, reply, failure });
  return report && insertMessage(db, report, due, { source: row.seq });
}
