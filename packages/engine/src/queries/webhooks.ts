import { EngineError } from "../rules/engine-error.ts";
import { sql, type Tx } from "../store/tx.ts";
import type { WebhookLimits } from "../store/waits.ts";
import { nextWaiter, type RunEvent, reachableRun } from "./waiters.ts";

/**
 * Checks that a webhook accepts one more request, as far as the engine knows before it reads the request's body.
 *
 * @throws EngineError `not_found`; `rate_limited` while the webhook keeps as many requests as it may
 */
export async function checkWebhook(
  tx: Tx,
  runId: string,
  eventId: string,
  limits: WebhookLimits,
): Promise<void> {
  const run = await reachableRun(tx, runId);
  if (!run) throw noSuchWebhook();
  const webhook = { run: run.key, eventId };
  if (!(await hasWebhook(tx, webhook))) throw noSuchWebhook();
  if (await nextWaiter(tx, webhook)) return;
  if (!(await hasRoom(tx, webhook, limits, 1))) throw webhookFull();
}

/** The error for a missing run and for a missing webhook alike: a sender without a token needs no details. */
export function noSuchWebhook(): EngineError {
  return new EngineError("not_found", "there is no such webhook");
}

/** Seconds after which the sender of a request to a full webhook may try again. */
const RETRY_AFTER_S = 60;

/** The error for a request that a webhook has no room for. */
export function webhookFull(): EngineError {
  const message =
    "the webhook keeps as many requests as it may until its run waits for them: try again later";
  return new EngineError("rate_limited", message, { retryAfter: RETRY_AFTER_S });
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
