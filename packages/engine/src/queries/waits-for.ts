import { toText } from "../rules/bytes.ts";
import { calledStep } from "../rules/call.ts";
import { placeOf } from "../rules/destination.ts";
import { begunAt } from "../rules/flow-control.ts";
import { failedStepIn } from "../rules/header.ts";
import type { Message } from "../rules/message.ts";
import { STATUS } from "../rules/message-status.ts";
import { readRecord } from "../rules/record.ts";
import type { Run } from "../rules/run.ts";
import { isSleep } from "../rules/step-kinds.ts";
import type { WaitReason } from "../rules/wait-reason.ts";
import * as inOrder from "../store/in-order.ts";
import { IS_UNFINISHED } from "../store/tables/due.ts";
import { countAdmitted, flowOf } from "../store/tables/flows.ts";
import { isQueuePaused } from "../store/tables/queues.ts";
import { LIVE_MESSAGES, type MessageRow, RUNS, type RunRow, toMessage, toRun } from "../store/tables/rows.ts";
import { IS_LIVE } from "../store/tables/runs.ts";
import { toSleep, toWait } from "../store/tables/waiters.ts";
import { sql, type Tx } from "../store/tx.ts";
import { openRetriesOf } from "./open-retries.ts";
import { entryBodies, failuresOf } from "./read.ts";

/** Reasons of one kind that are read at most: a run may have thousands of branches. */
const MAX_REASONS = 20;

/** Returns the reasons why a run waits at this moment; none for a run that has ended and whose reports have ended. */
export async function waitsFor(tx: Tx, run: Run): Promise<WaitReason[]> {
  return [
    ...(await ofMessages(tx, run)),
    ...(await ofWaiters(tx, run.key)),
    ...(await ofChildren(tx, run.key)),
  ];
}

async function ofMessages(tx: Tx, run: Run): Promise<WaitReason[]> {
  const rows = await tx.all<MessageRow>(
    sql`${LIVE_MESSAGES} WHERE due.run = ${run.key} AND ${IS_UNFINISHED} ORDER BY due.message LIMIT ${MAX_REASONS}`,
  );
  const failures = await failuresOf(
    tx,
    rows.filter(({ retried }) => retried > 0),
  );
  const bodies = await entryBodies(
    tx,
    rows.filter(({ status, kind }) => status !== STATUS.delivering && kind === "step"),
  );
  const retries = run.inline ? await inlineRetries(tx, run.key) : [];
  return inOrder.flatMap(rows, async (row): Promise<WaitReason[]> => {
    const message = toMessage(row);
    const reply = failures.get(row.seq)?.at(-1)?.reply;
    const failed = reply && failedStepIn(reply.headers);
    const body = row.entry === null ? undefined : bodies.get(row.entry);
    const held = await ofHolder(tx, row);
    if (held) return [held];
    if (retries.length > 0 && row.status === STATUS.scheduled) return retries;
    return [ofDelivery(message, row, { failed, body })];
  });
}

/** The queue, the key or the destination that holds a message back. */
async function ofHolder(tx: Tx, row: MessageRow): Promise<WaitReason | undefined> {
  const { status, queue, flow_key: key, seq } = row;
  if (status === STATUS.queued && queue !== null) {
    const before = await tx.one<{ ahead: number }>(
      sql`SELECT count(*) AS ahead FROM due WHERE queue = ${queue} AND message < ${seq} AND ${IS_UNFINISHED}`,
    );
    const reason = (await isQueuePaused(tx, queue)) ? "paused" : "turn";
    return { kind: "queue", queue, reason, ahead: before?.ahead ?? 0 };
  }
  if (status === STATUS.throttled && key !== null) return ofFlow(tx, key);
  if (status === STATUS.deferred) return { kind: "destination", host: placeOf(row.url).host };
  return undefined;
}

/** Messages that are counted at most for a key's wait list. */
const MAX_COUNTED = 10_000;

async function ofFlow(tx: Tx, key: string): Promise<WaitReason> {
  const row = await flowOf(tx, key);
  const active = await countAdmitted(tx, key, MAX_COUNTED);
  const counted = await tx.one<{ waiting: number }>(
    sql`SELECT count(*) AS waiting FROM (SELECT 1 FROM due WHERE flow_key = ${key} AND status = ${STATUS.throttled}
      LIMIT ${MAX_COUNTED}) AS counted`,
  );
  const waiting = counted?.waiting ?? 0;
  if (row?.paused === 1) return { kind: "flowControl", key, reason: "paused", waiting };
  if (row?.parallelism != null && active >= row.parallelism) {
    return { kind: "flowControl", key, reason: "parallelism", active, limit: row.parallelism, waiting };
  }
  const { rate, period, began_at: beganAt = 0, begun = 0 } = row ?? { period: 0, rate: null };
  return {
    kind: "flowControl",
    key,
    reason: "rate",
    active: begunAt({ beganAt, begun, period }, tx.now),
    waiting,
    ...(rate === null ? {} : { limit: rate, at: beganAt + period }),
  };
}

interface DeliveryFacts {
  /** The step that failed last. */
  readonly failed: string | undefined;
  /** The entry of the history that is delivered. */
  readonly body: Uint8Array | undefined;
}

function ofDelivery(message: Message, row: MessageRow, { failed, body }: DeliveryFacts): WaitReason {
  const at = row.at ?? message.notBefore;
  const isInProgress = row.status === STATUS.delivering;
  // An endpoint that hasn't answered gets more attempts than its message asks for.
  const attempts = Math.max(message.retried, message.maxRetries) + 1;
  const next = { attempt: message.retried + 1, attempts };
  switch (message.kind) {
    case "failure":
      return { kind: "failureFunction", ...(isInProgress ? {} : { at }) };
    case "cancel":
      return { kind: "cancelFunction", ...(isInProgress ? {} : { at }) };
    case "rollback":
      return { kind: "rollback", ...(isInProgress ? {} : { at }) };
    case "call": {
      const { name = "" } = calledStep(message.callback?.options?.forward) ?? {};
      return { kind: "call", stepName: name, url: message.url, ...next, ...(isInProgress ? {} : { at }) };
    }
    default:
      break;
  }
  const step = failed === undefined ? {} : { stepName: failed };
  if (isInProgress) return { kind: "delivering", ...step, at };
  if (message.retried > 0) return { kind: "retry", ...step, ...next, at };
  return sleepIn(body, message) ?? { kind: "delivery", ...step, at };
}

/** The sleep that a delivery ends, without inline execution: the record of the sleep is delivered when it is over. */
function sleepIn(body: Uint8Array | undefined, { notBefore }: Message): WaitReason | undefined {
  if (!body) return undefined;
  try {
    const record = readRecord(toText(body));
    return isSleep(record) ? { kind: "sleep", stepName: record.stepName, until: notBefore } : undefined;
  } catch {
    return undefined; // The payload of a run, which isn't a record.
  }
}

/** The steps of an inline run whose next attempts begin later. */
async function inlineRetries(tx: Tx, run: number): Promise<WaitReason[]> {
  const retries = await openRetriesOf(tx, run);
  return retries.slice(0, MAX_REASONS).map(({ step, attempt, retries: most, retryAt = tx.now }) => ({
    kind: "retry",
    stepName: step.name,
    attempt: attempt + 1,
    ...(most === undefined ? {} : { attempts: most + 1 }),
    at: retryAt,
  }));
}

async function ofWaiters(tx: Tx, run: number): Promise<WaitReason[]> {
  const rows = await tx.all<{ event: string | null; wait: string; webhook: number }>(
    sql`SELECT waiters.event, waiters.wait,
        (SELECT count(*) FROM webhooks WHERE webhooks.run = waiters.run AND webhooks.event = waiters.event) AS webhook
      FROM waiters WHERE waiters.run = ${run} AND open = 1 ORDER BY seq LIMIT ${MAX_REASONS}`,
  );
  return rows.map(({ event, webhook, ...row }) => {
    const { step, deadline: until } = event === null ? toSleep(row) : toWait(row);
    const { stepName } = step;
    if (event === null) return { kind: "sleep", stepName, until };
    return { kind: webhook > 0 ? "webhook" : "event", stepName, eventId: event, until };
  });
}

async function ofChildren(tx: Tx, run: number): Promise<WaitReason[]> {
  const rows = await tx.all<RunRow>(
    sql`${RUNS} WHERE parent = ${run} AND ${IS_LIVE} ORDER BY key LIMIT ${MAX_REASONS}`,
  );
  return rows.map(toRun).map(({ id, createdAt, invoker }) => ({
    kind: "child",
    stepName: invoker?.step.stepName ?? "",
    workflowRunId: id,
    workflowRunCreatedAt: createdAt,
  }));
}
