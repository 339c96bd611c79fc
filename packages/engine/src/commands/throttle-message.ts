import { holdBackOn } from "../store/tables/due.ts";
import { sql, type Tx } from "../store/tx.ts";

/** Holds a message back until its flow control key admits it, in the order in which such messages came due. */
export async function throttleMessage(tx: Tx, seq: number): Promise<void> {
  await tx.run(sql`UPDATE due SET ${holdBackOn("throttle")} WHERE message = ${seq}`);
}
