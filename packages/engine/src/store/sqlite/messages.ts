import type { CallType } from "@perdure/core/protocol";
import { toBase64 } from "../../domain/bytes.ts";
import { DEFAULT_RETRIES, type Draft } from "../../domain/message.ts";
import { inherit, type Run } from "../../domain/run.ts";
import { sql, type Tx } from "../tx.ts";
import { configureFlow } from "./flow.ts";
import { logState } from "./log.ts";
import { enterQueue } from "./queues.ts";
import { type RunRow, toJson, toLabels, toRun } from "./rows.ts";

export type { Due };

/** @returns the message's place */
export async function insertMessage(
  tx: Tx,
  draft: Draft,
  of?: { readonly run?: number | undefined; readonly entry?: number; readonly source?: number },
): Promise<number> {
  if (draft.flow && (await configureFlow(tx, draft.flow, draft.createdAt))) tx.wakeAt(draft.createdAt);
  const { key } =
    await tx.run(sql`INSERT INTO messages (id, purpose, state, due_at, run, entry, url, method, forward, content_type, body,
       max_retries, retry_delay, timeout, not_before, created_at, caller_ip, labels, redact, failure_callback,
       callback, flow, flow_key, topic_name, endpoint_name, queue, schedule, source, slot)
     VALUES (${draft.id}, ${draft.purpose}, 'CREATED', ${draft.notBefore}, ${of?.run ?? null}, ${of?.entry ?? null}, ${draft.url}, ${draft.method}, ${JSON.stringify(draft.forward)}, ${draft.contentType ?? null}, ${draft.body ?? null}, ${draft.retries ?? DEFAULT_RETRIES}, ${draft.retryDelay ?? null}, ${draft.timeout ?? null}, ${draft.notBefore}, ${draft.createdAt}, ${draft.callerIp}, ${toLabels(draft.labels)}, ${toJson(draft.redact)}, ${toJson(draft.failureCallback)}, ${toJson(draft.callback)}, ${toJson(draft.flow)}, ${draft.flow?.key ?? null}, ${draft.topic?.name ?? null}, ${draft.topic?.endpoint ?? null}, ${draft.queue ?? null}, ${draft.schedule ?? null}, ${of?.source ?? null},
       (SELECT slot FROM messages WHERE seq = ${of?.source ?? null}))`);
  await logState(tx, { seq: key, purpose: draft.purpose }, "CREATED", draft.createdAt, {
    dueAt: draft.notBefore,
  });
  if (draft.queue !== undefined) await enterQueue(tx, key, draft.queue, draft.createdAt);
  else tx.wakeAt(draft.notBefore);
  return key;
}

/** What a run's history gains. */
export interface NewEntry {
  /** What no two entries of a run share. */
  readonly key: string;
  readonly callType: CallType;
  readonly body: Uint8Array;
}

/** Adds to a run's history, and has it delivered. */
export async function insertEntry(
  tx: Tx,
  run: Pick<Run, "key" | "config" | "traits">,
  entry: NewEntry,
  draft: Draft,
): Promise<void> {
  const { key } = await tx.run(
    sql`INSERT INTO entries (run, record, message, call_type, body, created_at) VALUES (${run.key}, ${entry.key}, ${draft.id}, ${entry.callType}, ${toBase64(entry.body)}, ${draft.createdAt})`,
  );
  // A call has its own rules, but for what may be seen of it; everything else is a delivery of the run's.
  const { redact } = run.config;
  const message =
    draft.purpose === "call" ? { ...draft, redact: draft.redact ?? redact } : inherit(draft, run);
  await insertMessage(tx, message, { run: run.key, entry: key });
}

/** The message of an entry that a run has already. */
export async function entryMessage(tx: Tx, run: number, key: string): Promise<string | undefined> {
  return (
    await tx.one<{ message: string }>(sql`SELECT message FROM entries WHERE run = ${run} AND record = ${key}`)
  )?.message;
}

export async function liveRun(tx: Tx, id: string): Promise<Run | undefined> {
  const row = await tx.one<RunRow>(sql`SELECT * FROM runs WHERE id = ${id} AND state = 'RUN_STARTED'`);
  return row && toRun(row);
}

/** Of the runs that had an id, the last one, or the one that was created then. */
export async function latestRun(tx: Tx, id: string, createdAt?: number): Promise<Run | undefined> {
  const row = await tx.one<RunRow>(
    sql`SELECT * FROM runs WHERE id = ${id} AND created_at = coalesce(${createdAt ?? null}, created_at) ORDER BY key DESC LIMIT 1`,
  );
  return row && toRun(row);
}

export async function runOf(tx: Tx, key: number | null): Promise<Run | undefined> {
  const row = key === null ? undefined : await tx.one<RunRow>(sql`SELECT * FROM runs WHERE key = ${key}`);
  return row && toRun(row);
}
