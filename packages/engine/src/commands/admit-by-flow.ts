import { begunAt } from "../rules/flow-control.ts";
import { countAdmitted, flowOf, touchFlow } from "../store/tables/flows.ts";
import { sql, type Tx } from "../store/tx.ts";

/**
 * Decides whether a delivery with a flow control key may begin now, and counts it in the key's period if so:
 *
 * 1. Nothing begins while the key is paused.
 * 2. The deliveries in progress stay within the key's parallelism.
 * 3. The deliveries that begin within a period stay within its rate. The key wakes up for the next period.
 */
export async function admitByFlow(tx: Tx, key: string): Promise<boolean> {
  await tx.lock("flow", key);
  const flow = await flowOf(tx, key);
  if (!flow) return true;
  if (flow.paused === 1) return false;
  const { parallelism } = flow;
  if (parallelism !== null && (await countAdmitted(tx, key, parallelism)) >= parallelism) return false;
  await touchFlow(tx, flow);
  if (flow.rate === null) return true;
  const periodEnd = flow.began_at + flow.period;
  const begun = begunAt({ beganAt: flow.began_at, begun: flow.begun, period: flow.period }, tx.now);
  if (begun >= flow.rate) {
    await tx.run(sql`UPDATE flows SET wake_at = ${periodEnd} WHERE key = ${key}`);
    return false;
  }
  const beganAt = tx.now >= periodEnd ? tx.now : flow.began_at;
  await tx.run(sql`UPDATE flows SET began_at = ${beganAt}, begun = ${begun + 1} WHERE key = ${key}`);
  return true;
}

/** Whether a flow control key is paused: no delivery with it begins. */
export async function isFlowPaused(tx: Tx, key: string): Promise<boolean> {
  return (await flowOf(tx, key))?.paused === 1;
}
