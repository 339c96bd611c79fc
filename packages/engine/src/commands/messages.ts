import type { CallType } from "@perdure/core/protocol";
import { placeOf } from "../rules/destination.ts";
import { DEFAULT_RETRIES, type NewMessage } from "../rules/message.ts";
import { inherit, type Run } from "../rules/run.ts";
import { logState } from "../store/tables/logs.ts";
import { type MessageRow, type RunRow, toRun, toStoredOptions } from "../store/tables/rows.ts";
import { liveRun } from "../store/tables/runs.ts";
import { insert, sql, type Tx } from "../store/tx.ts";
import { configureFlow } from "./flow-limits.ts";
import { enterQueue } from "./queue-places.ts";

/** The rows that a message belongs to, by their keys. */
interface Belonging {
  readonly run?: number | undefined;
  readonly entry?: number;
  /** For a callback, the reported message: it keeps its place in its queue until the callback has ended. */
  readonly source?: Pick<MessageRow, "seq" | "place">;
  /** The message whose end it waits for. */
  readonly awaits?: number;
}

/** @returns the message's key */
export async function insertMessage(tx: Tx, newMessage: NewMessage, of: Belonging = {}): Promise<number> {
  if (newMessage.flow && (await configureFlow(tx, newMessage.flow))) tx.wakeAt(newMessage.createdAt);
  const { run = null, entry = null, source, awaits = null } = of;
  const { host, path } = placeOf(newMessage.url);
  const flowKey = newMessage.flow?.key ?? null;
  const queue = newMessage.queue ?? null;
  const seq = await insert(
    tx,
    sql`INSERT INTO messages (id, kind, run, entry, source, awaits, url, host, path, body, options, max_retries, retry_delay, not_before,
        created_at, caller_ip, url_group, queue, flow_key, schedule)
      VALUES (${newMessage.id}, ${newMessage.kind}, ${run}, ${entry}, ${source?.seq ?? null}, ${awaits}, ${newMessage.url}, ${host}, ${path},
        ${newMessage.body ?? null}, ${toStoredOptions(newMessage)}, ${newMessage.retries ?? DEFAULT_RETRIES}, ${newMessage.retryDelay ?? null}, ${newMessage.notBefore},
        ${newMessage.createdAt}, ${newMessage.callerIp}, ${newMessage.urlGroup?.name ?? null}, ${queue}, ${flowKey},
        ${newMessage.schedule ?? null})
      RETURNING seq AS key`,
  );
  for (const label of new Set(newMessage.labels)) {
    await tx.run(sql`INSERT INTO message_labels (label, message) VALUES (${label}, ${seq})`);
  }
  const queued = queue !== null;
  await tx.run(
    sql`INSERT INTO due (message, status, at, since, kind, run, queue, place, flow_key)
      VALUES (${seq}, ${queued ? "queued" : "scheduled"}, ${queued ? null : newMessage.notBefore},
        ${queued ? newMessage.notBefore : null}, ${newMessage.kind}, ${run}, ${queue}, ${source?.place ?? null}, ${flowKey})`,
  );
  await logState(tx, { seq, kind: newMessage.kind }, "CREATED", { dueAt: newMessage.notBefore });
  if (queue !== null) await enterQueue(tx, queue);
  else tx.wakeAt(newMessage.notBefore);
  return seq;
}

/** An entry to append to a run's history. */
export interface NewEntry {
  /** The entry's key, unique within its run. */
  readonly key: string;
  readonly callType: CallType;
  readonly body: Uint8Array;
}

/** Adds to a run's history, and has it delivered. */
export async function insertEntry(
  tx: Tx,
  run: Pick<Run, "key" | "config" | "capabilities">,
  entry: NewEntry,
  newMessage: NewMessage,
): Promise<void> {
  const key = await insert(
    tx,
    sql`INSERT INTO entries (run, position, record, message, call_type, body, created_at)
      VALUES (${run.key}, (SELECT coalesce(max(position), 0) + 1 FROM entries WHERE run = ${run.key}), ${entry.key}, ${newMessage.id}, ${entry.callType}, ${entry.body}, ${newMessage.createdAt})
      RETURNING seq AS key`,
  );
  // A call has its own rules, but for what may be seen of it; everything else is a delivery of the run's.
  const { redact } = run.config;
  const message =
    newMessage.kind === "call"
      ? { ...newMessage, redact: newMessage.redact ?? redact }
      : inherit(newMessage, run);
  await insertMessage(tx, message, { run: run.key, entry: key });
}

/** The message of an entry that a run has already. */
export async function entryMessage(tx: Tx, run: number, key: string): Promise<string | undefined> {
  return (
    await tx.one<{ message: string }>(sql`SELECT message FROM entries WHERE run = ${run} AND record = ${key}`)
  )?.message;
}

/** The live run of an id. Until the transaction ends, no other one changes or starts a run of this id. */
export async function lockRun(tx: Tx, id: string): Promise<Run | undefined> {
  await tx.lock("run", id);
  return liveRun(tx, id);
}

export async function runOf(tx: Tx, key: number | null): Promise<Run | undefined> {
  const row = key === null ? undefined : await tx.one<RunRow>(sql`SELECT * FROM runs WHERE key = ${key}`);
  return row && toRun(row);
}
