import type { FlowLimit } from "../../domain/flow.ts";
import type { Callback, Failure, Message, MessageState, Purpose } from "../../domain/message.ts";
import type { Redaction } from "../../domain/options.ts";
import type { Invoker, Run, RunConfig, RunState } from "../../domain/run.ts";

export interface RunRow {
  readonly key: number;
  readonly id: string;
  readonly url: string;
  readonly state: RunState;
  readonly created_at: number;
  readonly completed_at: number | null;
  readonly caller_ip: string;
  readonly config: string;
  readonly announced: number;
  readonly response: string | null;
  readonly dlq_id: string | null;
  readonly invoker: string | null;
  readonly parent: number | null;
  readonly parent_record: string | null;
  readonly successor: number | null;
  readonly traits: string | null;
  readonly identified: number;
  readonly deadline: number | null;
}

export interface MessageRow {
  readonly seq: number;
  readonly id: string;
  readonly purpose: Purpose;
  readonly state: MessageState;
  readonly due_at: number | null;
  readonly fence: number;
  readonly retried: number;
  readonly run: number | null;
  readonly entry: number | null;
  readonly url: string;
  readonly method: string;
  readonly forward: string;
  readonly content_type: string | null;
  readonly body: Uint8Array | null;
  readonly max_retries: number;
  readonly retry_delay: string | null;
  readonly timeout: number | null;
  readonly not_before: number;
  readonly created_at: number;
  readonly caller_ip: string;
  readonly labels: string;
  readonly redact: string | null;
  readonly failure_callback: string | null;
  readonly callback: string | null;
  readonly flow: string | null;
  readonly flow_key: string | null;
  readonly parked: number | null;
  readonly next: number | null;
  readonly landing: number | null;
  readonly topic_name: string | null;
  readonly endpoint_name: string | null;
  readonly queue: string | null;
  readonly slot: number | null;
  readonly held: number | null;
  readonly schedule: string | null;
  readonly reply_status: number | null;
  readonly reply_headers: string | null;
  readonly reply_body: Uint8Array | null;
}

/** The columns in which `failures` and `dlq` keep a failure. */
export interface FailureRow {
  readonly at: number;
  readonly error: string;
  readonly by_engine: number;
  readonly status: number | null;
  readonly headers: string | null;
  readonly body: Uint8Array | null;
}

export function toRun(row: RunRow): Run {
  return {
    key: row.key,
    id: row.id,
    url: row.url,
    state: row.state,
    createdAt: row.created_at,
    completedAt: row.completed_at ?? undefined,
    callerIp: row.caller_ip,
    config: JSON.parse(row.config) as RunConfig,
    announced: row.announced === 1,
    invoker: fromJson<Invoker>(row.invoker),
    response: row.response ?? undefined,
    dlqId: row.dlq_id ?? undefined,
    traits: row.traits ?? undefined,
    identified: row.identified === 1,
  };
}

export function toMessage(row: MessageRow): Message {
  return {
    seq: row.seq,
    id: row.id,
    purpose: row.purpose,
    state: row.state,
    dueAt: row.held ?? row.parked ?? row.due_at ?? undefined,
    retried: row.retried,
    maxRetries: row.max_retries,
    retries: row.max_retries,
    url: row.url,
    topic:
      row.topic_name === null
        ? undefined
        : { name: row.topic_name, endpoint: row.endpoint_name ?? undefined },
    method: row.method,
    forward: JSON.parse(row.forward) as Message["forward"],
    contentType: row.content_type ?? undefined,
    body: row.body ?? undefined,
    retryDelay: row.retry_delay ?? undefined,
    timeout: row.timeout ?? undefined,
    notBefore: row.not_before,
    createdAt: row.created_at,
    callerIp: row.caller_ip,
    labels: fromLabels(row.labels),
    redact: fromJson<Redaction>(row.redact),
    failureCallback: fromJson<Callback>(row.failure_callback),
    callback: fromJson<Callback>(row.callback),
    flow: fromJson<FlowLimit>(row.flow),
    queue: row.queue ?? undefined,
    schedule: row.schedule ?? undefined,
  };
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

/** `",one,two,"`: a label is found in it together with its commas. */
export function toLabels(labels: readonly string[]): string {
  return labels.length > 0 ? `,${labels.join(",")},` : "";
}

function fromLabels(text: string): string[] {
  return text === "" ? [] : text.slice(1, -1).split(",");
}

export function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function fromJson<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}
