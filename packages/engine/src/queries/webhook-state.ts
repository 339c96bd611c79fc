import { sql, type Tx } from "../store/tx.ts";
import type { WebhookLimits, WebhookState } from "../store/waits.ts";
import { nextWaiter, type RunEvent, reachableRun } from "./waiters.ts";

/**
 * Whether a webhook accepts one more request, as far as the engine knows before it reads the request's body.
 */
export async function webhookState(
  tx: Tx,
  runId: string,
  eventId: string,
  limits: WebhookLimits,
): Promise<WebhookState> {
  const run = await reachableRun(tx, runId);
  if (!run) return "none";
  const webhook = { run: run.key, eventId };
  if (!(await hasWebhook(tx, webhook))) return "none";
  if (await nextWaiter(tx, webhook)) return "open";
  return (await hasRoom(tx, webhook, limits, 1)) ? "open" : "full";
}

/** Whether a run has created this webhook. */
export async function hasWebhook(tx: Tx, { run, eventId }: RunEvent): Promise<boolean> {
  return (await tx.one(sql`SELECT 1 FROM webhooks WHERE run = ${run} AND event = ${eventId}`)) !== undefined;
}

/** Whether a webhook may keep one more request, of this many bytes. */
export async function hasRoom(
  tx: Tx,
  { run, eventId }: RunEvent,
  limits: WebhookLimits,
  bytes: number,
): Promise<boolean> {
  const kept = await tx.one<WebhookLimits>(
    sql`SELECT COUNT(*) AS hits, COALESCE(SUM(LENGTH(data)), 0) AS bytes FROM events
      WHERE run = ${run} AND event = ${eventId}`,
  );
  return kept !== undefined && kept.hits < limits.hits && kept.bytes + bytes <= limits.bytes;
}
