import type { TickState } from "../rules/schedule.ts";
import { scheduleOf } from "../store/tables/schedules.ts";
import { sql, type Tx } from "../store/tx.ts";

/** Records in a schedule what became of a message, if the schedule's last tick made it. */
export async function recordTickState(
  tx: Tx,
  id: string,
  messageId: string,
  state: TickState,
): Promise<void> {
  await tx.lock("tick", id);
  const states = (await scheduleOf(tx, id))?.lastStates;
  if (states?.[messageId] === undefined) return;
  tx.send(
    sql`UPDATE schedules SET last_states = ${JSON.stringify({ ...states, [messageId]: state })} WHERE id = ${id}`,
  );
}
