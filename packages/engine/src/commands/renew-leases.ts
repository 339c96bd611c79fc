import { STATUS } from "../rules/message-status.ts";
import type { Lease } from "../store/claims.ts";
import * as inOrder from "../store/in-order.ts";
import { isUnder } from "../store/tables/due.ts";
import { sql, type Tx } from "../store/tx.ts";
import { renewInFlight } from "./in-flight.ts";

/**
 * Moves the end of leases.
 *
 * @param until milliseconds since 1970
 * @returns the leases that no longer hold
 */
export async function renewLeases(tx: Tx, leases: readonly Lease[], until: number): Promise<Lease[]> {
  // In the order in which others lock several messages.
  const sorted = [...leases].sort((one, other) => one.seq - other.seq);
  return await inOrder.filter(sorted, async (lease) => {
    const changes = await tx.run(
      sql`UPDATE due SET at = ${until} WHERE ${isUnder(lease)} AND status = ${STATUS.delivering}`,
    );
    return changes === 0 && !(await renewInFlight(tx, lease, until));
  });
}
