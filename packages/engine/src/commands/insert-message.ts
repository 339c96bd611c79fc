import { placeOf } from "../rules/destination.ts";
import { DEFAULT_RETRIES, type NewMessage } from "../rules/message.ts";
import { initialStatus } from "../rules/message-status.ts";
import { logState } from "../store/tables/logs.ts";
import { type MessageRow, toStoredOptions } from "../store/tables/rows.ts";
import { insert, sql, type Tx } from "../store/tx.ts";
import { configureFlow } from "./configure-flow.ts";
import { ensureQueue } from "./ensure-queue.ts";
import { givePlaces } from "./queue-places.ts";

/** The rows that a message belongs to, by their keys. */
export interface MessageOwner {
  readonly run?: number | undefined;
  /** The entry of the run's history that the message delivers. */
  readonly entry?: number | undefined;
  /** The message that a callback reports. It keeps its place in its queue until its callbacks have ended. */
  readonly source?: Pick<MessageRow, "seq" | "place">;
  /** The message whose end this one waits for. */
  readonly awaits?: number;
}

/**
 * Stores a pending message, with its limits, its labels and its turn in its queue.
 *
 * @returns the message's key
 */
export async function insertMessage(tx: Tx, message: NewMessage, owner: MessageOwner = {}): Promise<number> {
  const { id, kind, url, flow, notBefore, createdAt, queue = null } = message;
  const { run = null, entry = null, source, awaits = null } = owner;
  if (queue !== null) {
    // Messages of a queue are in the order of their keys, which is the order of their commits under its lock.
    await ensureQueue(tx, queue);
  }
  if (flow && (await configureFlow(tx, flow))) tx.wakeAt(createdAt);
  const { host, path } = placeOf(url);
  const flowKey = flow?.key ?? null;
  const seq = await insert(
    tx,
    sql`INSERT INTO messages (id, kind, run, entry, source, awaits, url, host, path, body, options, max_retries, retry_delay,
        not_before, created_at, caller_ip, url_group, queue, flow_key, schedule)
      VALUES (${id}, ${kind}, ${run}, ${entry}, ${source?.seq ?? null}, ${awaits}, ${url}, ${host}, ${path},
        ${message.body ?? null}, ${toStoredOptions(message)}, ${message.retries ?? DEFAULT_RETRIES},
        ${message.retryDelay ?? null}, ${notBefore}, ${createdAt}, ${message.callerIp},
        ${message.urlGroup?.name ?? null}, ${queue}, ${flowKey}, ${message.schedule ?? null})
      RETURNING seq AS key`,
  );
  for (const label of new Set(message.labels)) {
    tx.send(sql`INSERT INTO message_labels (label, message) VALUES (${label}, ${seq})`);
  }
  const queued = queue !== null;
  tx.send(
    sql`INSERT INTO due (message, status, at, since, kind, run, queue, place, flow_key)
      VALUES (${seq}, ${initialStatus(queued)}, ${queued ? null : notBefore}, ${queued ? notBefore : null}, ${kind},
        ${run}, ${queue}, ${source?.place ?? null}, ${flowKey})`,
  );
  await logState(tx, { seq, kind }, "CREATED", { dueAt: notBefore });
  if (queued) await givePlaces(tx, queue);
  else tx.wakeAt(notBefore);
  return seq;
}
