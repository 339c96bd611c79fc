import type { MessageState } from "../../domain/message.ts";
import { sql, type Tx } from "../tx.ts";
import { leavePlace } from "./queues.ts";
import type { MessageRow } from "./rows.ts";
import { recordTickState } from "./schedules.ts";

/**
 * What a message's end means for its queue and its schedule. To be called after each change that may have been the end,
 * with the message as it was before.
 */
export async function followUp(
  tx: Tx,
  row: Pick<MessageRow, "seq" | "id" | "slot" | "schedule">,
): Promise<void> {
  if (row.slot === null && row.schedule === null) return;
  const { state, due_at } = (await tx.one<{ state: MessageState; due_at: number | null }>(
    sql`SELECT state, due_at FROM messages WHERE seq = ${row.seq}`,
  )) as { state: MessageState; due_at: number | null };
  if (due_at !== null) return;
  if (row.schedule !== null) {
    await recordTickState(tx, row.schedule, row.id, state === "DELIVERED" ? "SUCCESS" : "FAIL");
  }
  if (row.slot !== null) await leavePlace(tx, row.slot);
}
