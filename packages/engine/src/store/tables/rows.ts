import { type DeliveryPolicy, NO_POLICY, policyOf } from "../../rules/delivery-policy.ts";
import type { Failure, Message, MessageKind, MessageState, NewMessage } from "../../rules/message.ts";
import { type DueStatus, type Outcome, STATUS, stateOf } from "../../rules/message-status.ts";
import type { Invoker, Run, RunConfig, RunState } from "../../rules/run.ts";
import type { InProgress } from "../../rules/run-lease.ts";
import { fifoCache } from "../fifo-cache.ts";
import { constants, type Sql, sql } from "../tx.ts";

export interface RunRow {
  readonly key: number;
  readonly id: string;
  readonly url: string;
  readonly state: RunState;
  readonly created_at: number;
  readonly completed_at: number | null;
  readonly caller_ip: string;
  readonly config: string;
  readonly awaiting_configuration: number;
  readonly response: string | null;
  readonly dlq_id: string | null;
  readonly invoker: string | null;
  readonly parent: number | null;
  readonly parent_record: string | null;
  readonly successor: number | null;
  readonly capabilities: string | null;
  readonly identified: number;
  readonly deadline: number | null;
  readonly origin: string | null;
  readonly inline: number;
  /** Null until a delivery has offered the right to append. */
  readonly lease: number | null;
  readonly holder: number | null;
  readonly invocation: string | null;
  readonly in_progress: string | null;
}

/** The columns of a run's lease. */
export const LEASE_COLUMNS: Sql = sql`run_leases.number AS lease, run_leases.holder, run_leases.invocation,
  run_leases.in_progress`;

/** Selects runs with their leases, the rows of {@link toRun}: conditions follow it. */
export const RUNS: Sql = sql`SELECT runs.*, ${LEASE_COLUMNS} FROM runs LEFT JOIN run_leases ON run_leases.run = runs.key`;

/** A row of {@link MESSAGES}: a message with its row in `due`. */
export interface MessageRow {
  readonly seq: number;
  readonly id: string;
  readonly kind: MessageKind;
  readonly run: number | null;
  readonly entry: number | null;
  readonly source: number | null;
  readonly url: string;
  readonly body: Uint8Array | null;
  readonly options: string;
  readonly max_retries: number;
  readonly retry_delay: string | null;
  readonly not_before: number;
  readonly created_at: number;
  readonly caller_ip: string;
  readonly url_group: string | null;
  readonly queue: string | null;
  readonly flow_key: string | null;
  readonly schedule: string | null;
  readonly outcome: Outcome | null;
  readonly reply_status: number | null;
  readonly reply_headers: string | null;
  readonly reply_body: Uint8Array | null;
  /** Null at the message's end. */
  readonly status: DueStatus | null;
  readonly at: number | null;
  readonly since: number | null;
  /** The number of failed attempts so far. */
  readonly retried: number;
  /** The number of attempts so far: the fencing token of the last one. */
  readonly fence: number;
  readonly place: number | null;
  readonly awaits: number | null;
}

/** A row of {@link LIVE_MESSAGES} with the id of its run. */
export interface ClaimableRow extends MessageRow {
  readonly run_id: string | null;
}

/**
 * The options that no statement reads: stored once, as one JSON value, which leaves out `undefined`.
 * Statements read the retries, so these have columns of their own.
 */
interface StoredOptions extends Partial<DeliveryPolicy>, Pick<Message, "method" | "forward"> {
  readonly contentType?: string | undefined;
  readonly failureCallback?: Message["failureCallback"];
  readonly callback?: Message["callback"];
  readonly endpoint?: string | undefined;
}

const COLUMNS = sql`messages.seq, messages.id, messages.kind, messages.run, messages.entry, messages.source, messages.url,
  messages.body, messages.options, messages.max_retries, messages.retry_delay, messages.not_before, messages.created_at, messages.caller_ip,
  messages.url_group, messages.queue, messages.flow_key, messages.schedule, messages.outcome, messages.reply_status,
  messages.reply_headers, messages.reply_body, due.status, due.at, due.since,
  coalesce(due.retried, messages.retried) AS retried, coalesce(due.fence, messages.attempts) AS fence, due.place,
  messages.awaits`;

/** Selects all messages: conditions follow it. */
export const MESSAGES: Sql = sql`SELECT ${COLUMNS} FROM messages LEFT JOIN due ON due.message = messages.seq`;

/** Selects the messages that haven't ended, faster than {@link MESSAGES}: the query begins with the small table `due`. */
export const LIVE_MESSAGES: Sql = sql`SELECT ${COLUMNS} FROM due JOIN messages ON messages.seq = due.message`;

/** Selects the messages that a claim may take, each with the id of its run. */
export const CLAIMABLE_MESSAGES: Sql = sql`SELECT ${COLUMNS}, (SELECT id FROM runs WHERE key = due.run) AS run_id
  FROM due JOIN messages ON messages.seq = due.message`;

const state = (value: MessageState): Sql => constants<MessageState>(value);

/** The state that clients see of a message, where `due` is joined. */
export const STATE: Sql = sql`coalesce(messages.outcome, CASE WHEN due.status = ${STATUS.delivering} THEN ${state("ACTIVE")}
  WHEN due.retried > 0 THEN ${state("RETRY")} ELSE ${state("CREATED")} END)`;

/** The columns in which `failures` and `dlq` keep a failure. */
export interface FailureRow {
  readonly at: number;
  readonly error: string;
  readonly by_engine: number;
  readonly status: number | null;
  readonly headers: string | null;
  readonly body: Uint8Array | null;
}

/** A run's row is read for each step that it appends, and its configuration never changes meanwhile. */
const parseConfig = fifoCache(1000, (json) => JSON.parse(json) as RunConfig);

export function toRun(row: RunRow): Run {
  return {
    key: row.key,
    id: row.id,
    url: row.url,
    state: row.state,
    createdAt: row.created_at,
    completedAt: row.completed_at ?? undefined,
    callerIp: row.caller_ip,
    config: parseConfig(row.config),
    awaitingConfiguration: row.awaiting_configuration === 1,
    invoker: fromJson<Invoker>(row.invoker),
    response: row.response ?? undefined,
    dlqId: row.dlq_id ?? undefined,
    capabilities: row.capabilities ?? undefined,
    identified: row.identified === 1,
    origin: row.origin ?? undefined,
    inline: row.inline === 1,
    leaseNumber: row.lease ?? 0,
    holder: row.holder ?? undefined,
    invocation: row.invocation ?? undefined,
    inProgress: fromJson<InProgress>(row.in_progress),
  };
}

export function toMessage(row: MessageRow): Message {
  const options = JSON.parse(row.options) as StoredOptions;
  return {
    ...policyOf({ ...NO_POLICY, ...options, retryDelay: row.retry_delay ?? undefined }),
    method: options.method,
    forward: options.forward,
    contentType: options.contentType,
    failureCallback: options.failureCallback,
    callback: options.callback,
    seq: row.seq,
    id: row.id,
    kind: row.kind,
    state: row.outcome ?? stateOf(row.status, row.retried),
    dueAt: row.outcome === null ? (row.since ?? row.at ?? undefined) : undefined,
    retried: row.retried,
    maxRetries: row.max_retries,
    retries: row.max_retries,
    url: row.url,
    urlGroup: row.url_group === null ? undefined : { name: row.url_group, endpoint: options.endpoint },
    body: row.body ?? undefined,
    notBefore: row.not_before,
    createdAt: row.created_at,
    callerIp: row.caller_ip,
    queue: row.queue ?? undefined,
    schedule: row.schedule ?? undefined,
  };
}

/** The options that {@link toMessage} reads back. */
export function toStoredOptions(newMessage: NewMessage): string {
  const { method, forward, contentType, failureCallback, callback, urlGroup } = newMessage;
  const options: StoredOptions = {
    ...policyOf(newMessage),
    retries: undefined,
    retryDelay: undefined,
    method,
    forward,
    contentType,
    failureCallback,
    callback,
    endpoint: urlGroup?.endpoint,
  };
  return JSON.stringify(options);
}

export function toFailure(row: FailureRow): Failure {
  return {
    at: row.at,
    error: row.error,
    byEngine: row.by_engine === 1,
    reply: toReply(row.status, row.headers, row.body),
  };
}

export function toReply(
  status: number | null,
  headers: string | null,
  body: Uint8Array | null,
): Failure["reply"] {
  if (status === null) return undefined;
  return { status, headers: JSON.parse(headers ?? "{}"), body: body ?? new Uint8Array() };
}

export function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function fromJson<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}
