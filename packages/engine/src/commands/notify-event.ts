import { nextWaiter, reachableRun } from "../queries/waiters.ts";
import { hasRoom, hasWebhook, noSuchWebhook, webhookFull } from "../queries/webhooks.ts";
import type { Run } from "../rules/run.ts";
import * as inOrder from "../store/in-order.ts";
import { OPEN_WAITS_OF_RUNS, type WaiterRow } from "../store/tables/waiters.ts";
import { lockAll, sql, type Tx } from "../store/tx.ts";
import type { EventNotification, NotifyResult } from "../store/waits.ts";
import { endWait } from "./end-wait.ts";

/**
 * Delivers an event:
 *
 * 1. An event without a run goes to every step that waits for it.
 * 2. An event for one run goes to the first step of the run that waits for it.
 * 3. When no step waits, the run keeps the event until one does. A webhook keeps a limited number of them.
 *
 * @throws EngineError for a webhook: `not_found` when no live run has it; `rate_limited` while it keeps as many requests as
 * it may
 */
export async function notifyEvent(tx: Tx, notification: EventNotification): Promise<NotifyResult> {
  const { eventId, data, runId, webhook } = notification;
  if (runId === undefined) {
    const rows = await tx.many<WaiterRow & { readonly run_id: string | null }>(
      sql`${OPEN_WAITS_OF_RUNS} AND event = ${eventId} ORDER BY seq`,
    );
    await lockAll(tx, { run: rows.map(({ run_id }) => run_id) });
    return await deliver(tx, rows, data);
  }
  // Until the transaction ends, the run doesn't end either.
  const run = await lockReachable(tx, runId);
  if (!run) {
    if (webhook) throw noSuchWebhook();
    return { kind: "not live" };
  }
  const target = { run: run.key, eventId };
  if (webhook && !(await hasWebhook(tx, target))) throw noSuchWebhook();
  const waiter = await nextWaiter(tx, target);
  if (waiter) return await deliver(tx, [waiter], data);
  if (webhook && !(await hasRoom(tx, target, webhook, data.length))) throw webhookFull();
  await tx.run(
    sql`INSERT INTO events (run, event, data, created_at) VALUES (${run.key}, ${eventId}, ${data}, ${tx.now})`,
  );
  return { kind: "delivered", waiters: [] };
}

/** The live run of this id, or the one that resumed it, with the locks of all runs on the way. */
async function lockReachable(tx: Tx, id: string): Promise<Run | undefined> {
  for (let locked = id; ; ) {
    await tx.lock("run", locked);
    const run = await reachableRun(tx, id);
    if (!run || run.id === locked) return run;
    locked = run.id;
  }
}

async function deliver(tx: Tx, rows: readonly WaiterRow[], data: Uint8Array): Promise<NotifyResult> {
  const waiters = await inOrder.flatMap(rows, async (row) => {
    const ended = await endWait(tx, row, data);
    return ended ? [ended] : [];
  });
  return { kind: "delivered", waiters };
}
