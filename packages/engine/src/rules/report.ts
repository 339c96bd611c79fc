import { HEADER, newMessageId } from "@perdure/core/protocol";
import { toBase64 } from "./bytes.ts";
import { NO_POLICY, overlay, type Redaction } from "./delivery-policy.ts";
import { toHeaderMap, toShown } from "./header.ts";
import {
  type Callback,
  DEFAULT_RETRIES,
  type Failure,
  type Message,
  type NewMessage,
  type Reply,
} from "./message.ts";
import { callbackOf, failureCallbackOf } from "./new-message.ts";
import type { Options } from "./options.ts";
import type { RetryPolicy } from "./policy.ts";

/** The end of one attempt. */
export interface AttemptEnd {
  readonly at: number;
  /** Absent when there was no answer. */
  readonly reply: Reply | undefined;
  /** Absent when it succeeded. */
  readonly failure: Failure | undefined;
}

/** The report of an attempt at a plain message; `undefined` when its sender asked for none. */
export function attemptMessage(message: Message, end: AttemptEnd): NewMessage | undefined {
  const { callback } = message;
  if (!callback || message.kind === "call") return undefined;
  const body = { ...reportBody(message, end), ...plainSource(message) };
  return { ...toReport(message, callback, { body, at: end.at }), kind: "message" };
}

/** Returns the fields about a plain message in its reports. */
export function plainSource(message: Message): object {
  const { urlGroup, contentType, forward } = message;
  return {
    ...(urlGroup ? { topicName: urlGroup.name } : {}),
    ...(urlGroup?.endpoint === undefined ? {} : { endpointName: urlGroup.endpoint }),
    ...(message.schedule === undefined ? {} : { scheduleId: message.schedule }),
    url: message.url,
    sourceHeader: toHeaderMap(
      contentType === undefined ? forward : [...forward, [HEADER.contentType, contentType]],
    ),
    sourceBody: toBase64(message.body ?? new Uint8Array()),
    callerIP: message.callerIp,
  };
}

/** The fields of every report. */
export interface ReportBody {
  readonly status: number;
  readonly header: Record<string, readonly string[]>;
  readonly body: string;
  readonly retried: number;
  readonly maxRetries: number;
  readonly sourceMessageId: string;
  readonly method: string;
  readonly notBefore: number;
  readonly createdAt: number;
}

export function reportBody(message: Message, { reply, failure }: AttemptEnd): ReportBody {
  // The answer's body; the error in words where there is no answer, or where the answer doesn't show the
  // failure.
  const inWords = failure && (!reply || failure.byEngine);
  return {
    status: reply?.status ?? 0,
    header: toShown(reply?.headers ?? {}),
    body: toBase64(inWords ? new TextEncoder().encode(failure.error) : (reply?.body ?? new Uint8Array())),
    retried: message.retried,
    maxRetries: message.maxRetries,
    sourceMessageId: message.id,
    method: message.method,
    notBefore: message.notBefore,
    createdAt: message.createdAt,
  };
}

/** The content of a report, and the time at which the engine makes it. */
interface NewReport {
  readonly body: object;
  readonly at: number;
  /** The source of its retries and of the caller's address; by default the reported message. */
  readonly source?: RetryPolicy & { readonly callerIp: string };
}

/** Makes the message that carries a report. It has reports of its own if its options ask for them. */
export function toReport(
  message: Message,
  { url, options }: Callback,
  { body, at, source = message }: NewReport,
): NewMessage {
  const { retries = DEFAULT_RETRIES, retryDelay } = source;
  const policy = overlay({ ...NO_POLICY, retries, retryDelay, labels: message.labels }, options ?? NO_POLICY);
  return {
    id: newMessageId(),
    kind: "failure",
    url,
    urlGroup: undefined,
    method: options?.method ?? "POST",
    forward: options?.forward ?? [],
    contentType: "application/json",
    body: new TextEncoder().encode(JSON.stringify(body)),
    ...policy,
    notBefore: options?.notBefore ?? at + (options?.delay ?? 0),
    createdAt: at,
    callerIp: source.callerIp,
    redact: redactionOf(message, options),
    failureCallback: options && failureCallbackOf(undefined, options),
    callback: options && callbackOf(options),
  };
}

/** Copies the redaction of a message to its report, whose body shows that message. */
function redactionOf({ redact }: Message, options: Options | undefined): Redaction | undefined {
  if (!redact) return options?.redact;
  const own = options?.redact?.headers ?? [];
  const all = own === true || redact.headers === true;
  return { body: true, headers: all ? true : [...redact.headers, ...own] };
}
