import type { CallType } from "@perdure/core/protocol";
import { toBase64 } from "../../domain/bytes.ts";
import { DEFAULT_RETRIES, type Draft } from "../../domain/message.ts";
import { inherit, type Run } from "../../domain/run.ts";
import type { Database, Due } from "./database.ts";
import { configureFlow } from "./flow.ts";
import { logState } from "./log.ts";
import { enterQueue } from "./queues.ts";
import { type RunRow, toJson, toLabels, toRun } from "./rows.ts";

export type { Due };

/** @returns the message's place */
export function insertMessage(
  db: Database,
  draft: Draft,
  due: Due,
  of?: { readonly run?: number | undefined; readonly entry?: number; readonly source?: number },
): number {
  if (draft.flow && configureFlow(db, draft.flow, draft.createdAt)) due(draft.createdAt);
  const { key } = db.run(
    `INSERT INTO messages (id, purpose, state, due_at, run, entry, url, method, forward, content_type, body,
       max_retries, retry_delay, timeout, not_before, created_at, caller_ip, labels, redact, failure_callback,
       callback, flow, flow_key, topic_name, endpoint_name, queue, schedule, source, slot)
     VALUES (?, ?, 'CREATED', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
       (SELECT slot FROM messages WHERE seq = ?))`,
    draft.id,
    draft.purpose,
    draft.notBefore,
    of?.run ?? null,
    of?.entry ?? null,
    draft.url,
    draft.method,
    JSON.stringify(draft.forward),
    draft.contentType ?? null,
    draft.body ?? null,
    draft.retries ?? DEFAULT_RETRIES,
    draft.retryDelay ?? null,
    draft.timeout ?? null,
    draft.notBefore,
    draft.createdAt,
    draft.callerIp,
    toLabels(draft.labels),
    toJson(draft.redact),
    toJson(draft.failureCallback),
    toJson(draft.callback),
    toJson(draft.flow),
    draft.flow?.key ?? null,
    draft.topic?.name ?? null,
    draft.topic?.endpoint ?? null,
    draft.queue ?? null,
    draft.schedule ?? null,
    of?.source ?? null,
    // What it reports isn't over, for its queue, before the report is.
    of?.source ?? null,
  );
  logState(db, { seq: key, purpose: draft.purpose }, "CREATED", draft.createdAt, { dueAt: draft.notBefore });
  if (draft.queue !== undefined) enterQueue(db, key, draft.queue, draft.createdAt, due);
  else due(draft.notBefore);
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
export function insertEntry(
  db: Database,
  run: Pick<Run, "key" | "config" | "traits">,
  entry: NewEntry,
  draft: Draft,
  due: Due,
): void {
  const { key } = db.run(
    "INSERT INTO entries (run, record, message, call_type, body, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    run.key,
    entry.key,
    draft.id,
    entry.callType,
    toBase64(entry.body),
    draft.createdAt,
  );
  // A call has its own rules, but for what may be seen of it; everything else is a delivery of the run's.
  const { redact } = run.config;
  const message =
    draft.purpose === "call" ? { ...draft, redact: draft.redact ?? redact } : inherit(draft, run);
  insertMessage(db, message, due, { run: run.key, entry: key });
}

/** The message of an entry that a run has already. */
export function entryMessage(db: Database, run: number, key: string): string | undefined {
  return db.get<{ message: string }>("SELECT message FROM entries WHERE run = ? AND record = ?", run, key)
    ?.message;
}

export function liveRun(db: Database, id: string): Run | undefined {
  const row = db.get<RunRow>("SELECT * FROM runs WHERE id = ? AND state = 'RUN_STARTED'", id);
  return row && toRun(row);
}

/** Of the runs that had an id, the last one, or the one that was created then. */
export function latestRun(db: Database, id: string, createdAt?: number): Run | undefined {
  const row = db.get<RunRow>(
    "SELECT * FROM runs WHERE id = ? AND created_at = coalesce(?, created_at) ORDER BY key DESC LIMIT 1",
    id,
    createdAt ?? null,
  );
  return row && toRun(row);
}

export function runOf(db: Database, key: number | null): Run | undefined {
  const row = key === null ? undefined : db.get<RunRow>("SELECT * FROM runs WHERE key = ?", key);
  return row && toRun(row);
}
