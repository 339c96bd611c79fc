import { placeOf } from "../rules/destination.ts";
import { DEFAULT_RETRIES, type NewMessage } from "../rules/message.ts";
import { initialStatus } from "../rules/message-status.ts";
import { logState } from "../store/tables/logs.ts";
import { type MessageRow, toStoredOptions } from "../store/tables/rows.ts";
import { forEach, type Part, type Sql, sql, type Tx } from "../store/tx.ts";
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

/** The columns of a new message. */
export const NEW_MESSAGE = {
  id: "string",
  kind: "string",
  run: "number",
  entry: "number",
  source: "number",
  awaits: "number",
  url: "string",
  host: "string",
  path: "string",
  body: "bytes",
  options: "string",
  retries: "number",
  retryDelay: "string",
  notBefore: "number",
  createdAt: "number",
  callerIp: "string",
  urlGroup: "string",
  queue: "string",
  flowKey: "string",
  schedule: "string",
} as const;

/** The row of a new message. */
export function toNewMessageRow(message: NewMessage, owner: MessageOwner = {}) {
  const { id, kind, url, flow, notBefore, createdAt, callerIp, queue = null } = message;
  return {
    ...{ id, kind, url, notBefore, createdAt, callerIp, queue },
    run: owner.run ?? null,
    entry: owner.entry ?? null,
    source: owner.source?.seq ?? null,
    awaits: owner.awaits ?? null,
    ...placeOf(url),
    body: message.body ?? null,
    options: toStoredOptions(message),
    retries: message.retries ?? DEFAULT_RETRIES,
    retryDelay: message.retryDelay ?? null,
    urlGroup: message.urlGroup?.name ?? null,
    flowKey: flow?.key ?? null,
    schedule: message.schedule ?? null,
  };
}

/** The insertion of a new message. Its parts may be columns of the clauses that follow it. */
export function insertNewMessage(row: Readonly<Record<keyof typeof NEW_MESSAGE, Part>>): Sql {
  return sql`INSERT INTO messages (id, kind, run, entry, source, awaits, url, host, path, body, options, max_retries, retry_delay,
      not_before, created_at, caller_ip, url_group, queue, flow_key, schedule)
    SELECT ${row.id}, ${row.kind}, ${row.run}, ${row.entry}, ${row.source}, ${row.awaits}, ${row.url}, ${row.host}, ${row.path},
      ${row.body}, ${row.options}, ${row.retries}, ${row.retryDelay}, ${row.notBefore}, ${row.createdAt}, ${row.callerIp},
      ${row.urlGroup}, ${row.queue}, ${row.flowKey}, ${row.schedule}`;
}

/** The columns of a new row of `due`. */
export const NEW_DUE = {
  message: "number",
  status: "string",
  at: "number",
  since: "number",
  kind: "string",
  run: "number",
  queue: "string",
  place: "number",
  flowKey: "string",
} as const;

/** The insertion of a new row of `due`. Its parts may be columns of the clauses that follow it. */
export function insertNewDue(row: Readonly<Record<keyof typeof NEW_DUE, Part>>): Sql {
  return sql`INSERT INTO due (message, status, at, since, kind, run, queue, place, flow_key)
    SELECT ${row.message}, ${row.status}, ${row.at}, ${row.since}, ${row.kind}, ${row.run}, ${row.queue}, ${row.place}, ${row.flowKey}`;
}

/**
 * Stores a pending message, with its limits, its labels and its turn in its queue.
 *
 * @returns the message's key
 */
export async function insertMessage(tx: Tx, message: NewMessage, owner: MessageOwner = {}): Promise<number> {
  const { kind, flow, notBefore, createdAt, queue = null } = message;
  const { run = null, source } = owner;
  if (queue !== null) {
    // Messages of a queue are in the order of their keys, which is the order of their commits under its lock.
    await ensureQueue(tx, queue);
  }
  if (flow && (await configureFlow(tx, flow))) tx.wakeAt(createdAt);
  const flowKey = flow?.key ?? null;
  const row = toNewMessageRow(message, owner);
  const inserted = forEach(
    NEW_MESSAGE,
    [row],
    (each, from) => sql`${insertNewMessage(each)}${from} RETURNING seq AS key`,
  );
  const [{ key: seq }] = (await tx.allForEach(inserted)) as [{ readonly key: number }];
  for (const label of new Set(message.labels)) {
    tx.send(sql`INSERT INTO message_labels (label, message) VALUES (${label}, ${seq})`);
  }
  const queued = queue !== null;
  const due = {
    message: seq,
    status: initialStatus(queued),
    at: queued ? null : notBefore,
    since: queued ? notBefore : null,
    ...{ kind, run, queue, place: source?.place ?? null, flowKey },
  };
  tx.sendForEach(forEach(NEW_DUE, [due], (each, from) => sql`${insertNewDue(each)}${from}`));
  await logState(tx, { seq, kind }, "CREATED", { dueAt: notBefore });
  if (queued) await givePlaces(tx, queue);
  else tx.wakeAt(notBefore);
  return seq;
}
