import { OPEN_WAITS, type WaiterRow } from "../store/tables/waiters.ts";
import { sql, type Tx } from "../store/tx.ts";
import { endWait } from "./end-wait.ts";

/** Waits that one claim ends at most. */
const MAX_EXPIRED_AT_ONCE = 1000;

/** Ends the waits whose time is over. */
export async function expireWaits(tx: Tx): Promise<void> {
  const rows = await tx.all<WaiterRow>(
    sql`${OPEN_WAITS} AND deadline <= ${tx.now} ORDER BY deadline, seq LIMIT ${MAX_EXPIRED_AT_ONCE}`,
  );
  for (const row of rows) await endWait(tx, row, undefined);
}
