import type { MessageState } from "../../domain/message.ts";
import type { Database, Due } from "./database.ts";
import { leavePlace } from "./queues.ts";
import type { MessageRow } from "./rows.ts";
import { recordTickState } from "./schedules.ts";

/**
 * What a message's end means for its queue and its schedule. To be called after each change that may have been the end,
 * with the message as it was before.
 */
export function followUp(
  db: Database,
  row: Pick<MessageRow, "seq" | "id" | "slot" | "schedule">,
  due: Due,
): void {
  if (row.slot === null && row.schedule === null) return;
  const { state, due_at } = db.get<{ state: MessageState; due_at: number | null }>(
    "SELECT state, due_at FROM messages WHERE seq = ?",
    row.seq,
  ) as { state: MessageState; due_at: number | null };
  if (due_at !== null) return;
  if (row.schedule !== null) {
    recordTickState(db, row.schedule, row.id, state === "DELIVERED" ? "SUCCESS" : "FAIL");
  }
  if (row.slot !== null) leavePlace(db, row.slot, due);
}
