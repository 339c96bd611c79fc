import { createHash } from "node:crypto";
import { HEADER } from "@perdure/core/protocol";
import { toBase64 } from "../rules/bytes.ts";
import type { Redaction } from "../rules/delivery-policy.ts";
import { toHeaderMap } from "../rules/header.ts";
import type { Callback, Message } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { LoggedRollback } from "../store/lists.ts";
import type { Output } from "./route.ts";
import type { message as shape } from "./schemas.ts";

type View = Output<typeof shape>;

/** A message in all lists and answers of the API. Fields without a value are absent. */
export function messageView(message: Message, run: Run | undefined, body: Uint8Array | undefined): View {
  const { contentType, redact } = message;
  const forward =
    run && (message.kind === "step" || message.kind === "answer")
      ? [...run.config.forward, ...message.forward]
      : message.forward;
  const headers = toHeaderMap(
    contentType === undefined ? forward : [...forward, [HEADER.contentType, contentType]],
  );
  return {
    messageId: message.id,
    url: message.url,
    method: message.method,
    header: redactHeaders(headers, redact),
    ...bodyView("body", body, redact?.body),
    maxRetries: message.maxRetries,
    notBefore: message.notBefore,
    createdAt: message.createdAt,
    callerIP: message.callerIp,
    // The official client spells the name like this.
    callerIp: message.callerIp,
    ...(message.urlGroup ? { topicName: message.urlGroup.name } : {}),
    ...(message.urlGroup?.endpoint === undefined ? {} : { endpointName: message.urlGroup.endpoint }),
    ...(message.retryDelay === undefined ? {} : { retryDelayExpression: message.retryDelay }),
    ...labelsView(message.labels),
    ...flowView(message.flow),
    ...(message.queue === undefined ? {} : { queueName: message.queue }),
    ...(message.schedule === undefined ? {} : { scheduleId: message.schedule }),
    ...callbackView("callback", message.callback, message.redact),
    ...callbackView(
      "failureCallback",
      message.failureCallback ?? run?.config.failureCallback,
      message.redact,
    ),
    ...(run ? { workflowRunId: run.id, workflowCreatedAt: run.createdAt, workflowUrl: run.url } : {}),
  };
}

type Bodies<Name extends string> = { readonly [Key in Name | `${Name}Base64`]?: string };

/**
 * Shows a body as a string if it is UTF-8, otherwise in base64 in the field with the suffix `Base64`. Leaves
 * out an empty body.
 */
export function bodyView<Name extends "body" | "responseBody">(
  name: Name,
  body: Uint8Array | undefined,
  redacted = false,
): Bodies<Name> {
  const only = (key: string, value: string) => ({ [key]: value }) as Bodies<Name>;
  if (!body || body.length === 0) return {};
  if (redacted) return only(name, hash(body));
  try {
    return only(name, new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    // The body isn't UTF-8.
    return only(`${name}Base64`, toBase64(body));
  }
}

/** Shows the rollbacks of a run's steps, in the order in which they ran. */
export function rollbacksView(rollbacks: readonly LoggedRollback[]): {
  readonly rollbacks?: readonly LoggedRollback[];
} {
  return rollbacks.length > 0 ? { rollbacks } : {};
}

export function labelsView(labels: readonly string[]): Pick<View, "label" | "labels"> {
  return labels.length > 0 ? { label: labels[0], labels } : {};
}

/** Replaces the values of redacted headers by their hashes. */
export function redactHeaders(
  headers: Readonly<Record<string, readonly string[]>>,
  redact: Redaction | undefined,
): Record<string, readonly string[]> {
  if (!redact) return headers;
  return Object.fromEntries(
    Object.entries(headers).map(([name, values]) => {
      const hidden = redact.headers === true || redact.headers.includes(name.toLowerCase());
      return [name, hidden ? values.map(hash) : values];
    }),
  );
}

/** The beginning of what the engine shows in place of a redacted value. */
export const REDACTED = "REDACTED:";

export function hash(value: string | Uint8Array): string {
  return `${REDACTED}${createHash("sha256").update(value).digest("hex")}`;
}

/** Shows the flow control of a message, or of a schedule's messages. */
export function flowView(
  flow: Message["flow"],
): Pick<View, "flowControlKey" | "parallelism" | "rate" | "period"> {
  if (!flow) return {};
  const { key, parallelism, rate, period } = flow;
  return {
    flowControlKey: key,
    ...(parallelism === undefined ? {} : { parallelism }),
    ...(rate === undefined ? {} : { rate }),
    // In seconds, unlike every other time here. Present even without a rate, because clients read it with the
    // key.
    period: period / 1000,
  };
}

function callbackView(
  name: "callback" | "failureCallback",
  callback: Callback | undefined,
  redact: Redaction | undefined,
): Partial<View> {
  if (!callback) return {};
  const header = toHeaderMap(callback.options?.forward ?? []);
  return {
    [name]: callback.url,
    ...(Object.keys(header).length > 0 ? { [`${name}Header`]: redactHeaders(header, redact) } : {}),
  };
}
