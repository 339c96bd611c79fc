import { holdBackOn } from "../store/tables/due.ts";
import { sql, type Tx } from "../store/tx.ts";

/** Holds a message back until its queue, which is paused, is resumed. */
export async function enqueueMessage(tx: Tx, seq: number): Promise<void> {
  await tx.run(sql`UPDATE due SET ${holdBackOn("enqueue")} WHERE message = ${seq}`);
}
