import { OPEN_WAITS_OF_RUNS, type WaiterRow } from "../store/tables/waiters.ts";
import { sql, type Tx } from "../store/tx.ts";
import type { Locks } from "./claim-locks.ts";
import { endWait } from "./end-wait.ts";

/** Waits that one claim ends at most. */
const MAX_EXPIRED_AT_ONCE = 1000;

/** Ends the waits whose time is over. */
export async function expireWaits(tx: Tx, locks: Locks): Promise<void> {
  const rows = await tx.all<WaiterRow & { readonly run_id: string | null }>(
    sql`${OPEN_WAITS_OF_RUNS} AND deadline <= ${tx.now} ORDER BY deadline, seq LIMIT ${MAX_EXPIRED_AT_ONCE}`,
  );
  for (const row of rows) if (await locks.take("run", row.run_id)) await endWait(tx, row, undefined);
}
