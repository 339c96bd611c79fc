import type { Outcome } from "../rules/message-status.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { leavePlace } from "./queue-places.ts";
import { recordTickState } from "./record-tick-state.ts";

/**
 * Frees the place of a message that has ended, and records its outcome in its schedule. Callers call it after each change
 * that may have ended the message, with the row from before the change.
 */
export async function onMessageFinished(
  tx: Tx,
  row: Pick<MessageRow, "seq" | "id" | "place" | "schedule">,
): Promise<void> {
  if (row.place === null && row.schedule === null) return;
  const ended = await tx.one<{ outcome: Outcome | null }>(
    sql`SELECT outcome FROM messages WHERE seq = ${row.seq}`,
  );
  if (!ended?.outcome) return;
  if (row.schedule !== null) {
    await recordTickState(tx, row.schedule, row.id, ended.outcome === "DELIVERED" ? "SUCCESS" : "FAIL");
  }
  if (row.place !== null) await leavePlace(tx, row.place);
}
