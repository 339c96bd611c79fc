import type { FlowLimit } from "../rules/flow.ts";
import { mergeLimits } from "../rules/flow-control.ts";
import { flowOf, toLimits, touchFlow } from "../store/tables/flows.ts";
import { sql, type Tx } from "../store/tx.ts";
import { releaseAllThrottled } from "./release-throttled.ts";

/**
 * Gives a flow control key the limits of its newest message, except pinned ones. They hold for messages that wait
 * already, too.
 *
 * @returns whether waiting messages may be due now
 */
export async function configureFlow(tx: Tx, limit: FlowLimit): Promise<boolean> {
  const { key } = limit;
  await tx.lock("flow", key);
  const old = await flowOf(tx, key);
  if (old) await touchFlow(tx, old);
  const { parallelism = null, rate = null, period } = old ? mergeLimits(toLimits(old), limit) : limit;
  if (old && old.parallelism === parallelism && old.rate === rate && old.period === period) return false;
  await tx.run(sql`INSERT INTO flows (key, parallelism, rate, period, used_at) VALUES (${key}, ${parallelism}, ${rate}, ${period}, ${tx.now})
     ON CONFLICT (key) DO UPDATE SET parallelism = excluded.parallelism, rate = excluded.rate,
       period = excluded.period, wake_at = NULL`);
  return old !== undefined && (await releaseAllThrottled(tx, key));
}
