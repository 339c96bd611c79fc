import { isPlan, type StepRecord } from "@perdure/core/protocol";
import { isLive, type Run } from "../rules/run.ts";
import { type NewSleep, type NewWait, waitRecord } from "../rules/wait.ts";
import * as inOrder from "../store/in-order.ts";
import { notLive } from "../store/tables/runs.ts";
import { sql, type Tx } from "../store/tx.ts";
import type {
  EventNotification,
  NotifyResult,
  Waiting,
  WaitReceipt,
  WebhookLimits,
  WebhookState,
} from "../store/waits.ts";
import { entryMessage, lockRun, runOf } from "./messages.ts";
import { recordStep } from "./record-step.ts";

interface WaiterRow {
  readonly seq: number;
  readonly run: number;
  readonly wait: string;
}

/** Waits that are ended in one go. */
const MAX_EXPIRED_AT_ONCE = 1000;

/**
 * Records a step when its event comes; at once, if the event came before. For a step that already waits or is recorded, it
 * returns the existing wait.
 *
 * @throws EngineError `conflict` when its run isn't live
 */
export async function wait(tx: Tx, command: NewWait): Promise<WaitReceipt> {
  const run = await lockRun(tx, command.runId);
  if (!run) throw await notLive(tx, command.runId, "it can't wait for anything");
  const known =
    (await entryMessage(tx, run.key, command.key)) ?? (await waiterMessage(tx, run.key, command.key));
  if (known !== undefined) return { messageId: known, deduplicated: true };
  const early = await tx.one<{ seq: number; data: Uint8Array }>(
    sql`SELECT seq, data FROM events WHERE run = ${run.key} AND event = ${command.eventId} ORDER BY seq LIMIT 1`,
  );
  await tx.run(
    sql`INSERT INTO waiters (run, event, record, open, deadline, wait, created_at) VALUES (${run.key}, ${command.eventId}, ${command.key}, ${early ? 0 : 1}, ${command.deadline}, ${JSON.stringify(command)}, ${tx.now})`,
  );
  const { id: messageId } = command.message;
  if (!early) {
    tx.wakeAt(command.deadline);
    recordWaiting(tx, command);
    return { messageId, deduplicated: false };
  }
  await tx.run(sql`DELETE FROM events WHERE seq = ${early.seq}`);
  await record(tx, run, command, early.data);
  return { messageId, deduplicated: false };
}

/**
 * Hands an event to the steps that wait for it. An event for one run goes to the first step in it that waits, or is kept
 * there until a step does.
 */
export async function notify(tx: Tx, notification: EventNotification): Promise<NotifyResult> {
  if (notification.runId === undefined) {
    const rows = await tx.all<WaiterRow>(
      sql`SELECT seq, run, wait FROM waiters WHERE event = ${notification.eventId} AND open = 1 ORDER BY seq`,
    );
    return await deliverEvent(tx, rows, notification);
  }
  const run = await reachableRun(tx, notification.runId);
  if (!run) return { kind: "not live" };
  if (notification.webhook && !(await hasWebhook(tx, run.key, notification.eventId)))
    return { kind: "no webhook" };
  const rows = await nextWaiter(tx, run.key, notification.eventId);
  if (rows.length > 0) return await deliverEvent(tx, rows, notification);
  if (
    notification.webhook &&
    !(await hasRoom(
      tx,
      { run: run.key, eventId: notification.eventId },
      notification.webhook,
      notification.data.length,
    ))
  )
    return { kind: "full" };
  await tx.run(
    sql`INSERT INTO events (run, event, data, created_at) VALUES (${run.key}, ${notification.eventId}, ${notification.data}, ${tx.now})`,
  );
  return { kind: "delivered", waiters: [] };
}

/** Whether a webhook takes one more request, as far as that can be told without its body. */
export async function webhookState(
  tx: Tx,
  runId: string,
  eventId: string,
  most: WebhookLimits,
): Promise<WebhookState> {
  const run = await reachableRun(tx, runId);
  if (!run || !(await hasWebhook(tx, run.key, eventId))) return "none";
  if ((await nextWaiter(tx, run.key, eventId)).length > 0) return "open";
  return (await hasRoom(tx, { run: run.key, eventId }, most, 1)) ? "open" : "full";
}

async function nextWaiter(tx: Tx, run: number, eventId: string): Promise<WaiterRow[]> {
  return await tx.all<WaiterRow>(
    sql`SELECT seq, run, wait FROM waiters WHERE run = ${run} AND event = ${eventId} AND open = 1 ORDER BY seq LIMIT 1`,
  );
}

async function hasRoom(
  tx: Tx,
  webhook: { readonly run: number; readonly eventId: string },
  most: WebhookLimits,
  bytes: number,
): Promise<boolean> {
  const kept = await tx.one<WebhookLimits>(
    sql`SELECT COUNT(*) AS hits, COALESCE(SUM(LENGTH(data)), 0) AS bytes FROM events WHERE run = ${webhook.run} AND event = ${webhook.eventId}`,
  );
  return kept !== undefined && kept.hits < most.hits && kept.bytes + bytes <= most.bytes;
}

/** Records the waits that are over. */
export async function expire(tx: Tx): Promise<void> {
  const rows = await tx.all<WaiterRow & { readonly event: string | null }>(
    sql`SELECT seq, run, event, wait FROM waiters WHERE open = 1 AND deadline <= ${tx.now} ORDER BY deadline, seq LIMIT ${MAX_EXPIRED_AT_ONCE}`,
  );
  for (const row of rows) {
    const run = await close(tx, row);
    if (!run) continue;
    if (row.event === null) {
      const { key, step } = JSON.parse(row.wait) as NewSleep;
      await recordStep(tx, run, { key, json: JSON.stringify(step) });
      continue;
    }
    const command = toWaitIntake(row);
    const late = { ...command, message: { ...command.message, url: command.timeoutUrl } };
    await record(tx, run, late, undefined);
  }
}

/** When the next wait is over. */
export async function nextDeadline(tx: Tx): Promise<number | undefined> {
  return (
    await tx.one<{ deadline: number }>(
      sql`SELECT deadline FROM waiters WHERE open = 1 ORDER BY deadline LIMIT 1`,
    )
  )?.deadline;
}

/** The steps that wait for an event, in the order in which they began to. */
export async function waiters(tx: Tx, eventId: string): Promise<Waiting[]> {
  const rows = await tx.all<WaiterRow>(
    sql`SELECT seq, run, wait FROM waiters WHERE event = ${eventId} AND open = 1 ORDER BY seq`,
  );
  return await inOrder.flatMap(rows, async (row) => {
    const run = await runOf(tx, row.run);
    return run ? [{ run, wait: toWaitIntake(row) }] : [];
  });
}

/** A step that made a webhook: from now on its address is open. */
export async function addWebhook(tx: Tx, run: number, step: StepRecord): Promise<void> {
  if (step.stepType !== "CreateWebhook" || isPlan(step) || step.out === undefined) return;
  let eventId: unknown;
  try {
    ({ eventId } = JSON.parse(step.out) as { eventId?: unknown });
  } catch {
    return; // Not a webhook that anybody could have the address of.
  }
  if (typeof eventId !== "string") return;
  await tx.run(sql`INSERT INTO webhooks (run, event) VALUES (${run}, ${eventId}) ON CONFLICT DO NOTHING`);
}

/** A live run: the one of this id, or the one that goes on from where that one failed. */
async function reachableRun(tx: Tx, id: string): Promise<Run | undefined> {
  const live = await lockRun(tx, id);
  if (live) return live;
  let key = (
    await tx.one<{ successor: number | null }>(
      sql`SELECT successor FROM runs WHERE id = ${id} ORDER BY key DESC LIMIT 1`,
    )
  )?.successor;
  while (key) {
    const run = await runOf(tx, key);
    if (run && isLive(run)) return run;
    key = (await tx.one<{ successor: number | null }>(sql`SELECT successor FROM runs WHERE key = ${key}`))
      ?.successor;
  }
  return undefined;
}

async function hasWebhook(tx: Tx, run: number, eventId: string): Promise<boolean> {
  return (await tx.one(sql`SELECT 1 FROM webhooks WHERE run = ${run} AND event = ${eventId}`)) !== undefined;
}

async function deliverEvent(
  tx: Tx,
  rows: readonly WaiterRow[],
  { data }: EventNotification,
): Promise<NotifyResult> {
  const delivered: Waiting[] = [];
  for (const row of rows) {
    const run = await close(tx, row);
    if (!run) continue;
    const command = toWaitIntake(row);
    delivered.push({ run, wait: command });
    await record(tx, run, command, data);
  }
  return { kind: "delivered", waiters: delivered };
}

/** @returns the run, unless it is over */
async function close(tx: Tx, { seq, run: key }: WaiterRow): Promise<Run | undefined> {
  await tx.run(sql`UPDATE waiters SET open = 0 WHERE seq = ${seq}`);
  const run = await runOf(tx, key);
  return run && isLive(run) ? run : undefined;
}

async function record(tx: Tx, run: Run, command: NewWait, data: Uint8Array | undefined): Promise<void> {
  const { key, message } = command;
  const timedOut = data === undefined;
  await recordStep(tx, run, { key, message, json: waitRecord(command, data), timedOut });
}

function recordWaiting(tx: Tx, { runId, eventId, step, deadline }: NewWait): void {
  const { stepName, stepType } = step;
  tx.record({ type: "step.waiting", runId, step: stepName, stepType, eventId, until: deadline });
}

async function waiterMessage(tx: Tx, run: number, key: string): Promise<string | undefined> {
  const row = await tx.one<WaiterRow>(
    sql`SELECT seq, run, wait FROM waiters WHERE run = ${run} AND record = ${key} AND open = 1 AND event IS NOT NULL`,
  );
  return row && toWaitIntake(row).message.id;
}

function toWaitIntake({ wait }: WaiterRow): NewWait {
  return JSON.parse(wait) as NewWait;
}
