import { HEADER, LOWERCASE_HEADER, newMessageId } from "@perdure/core/protocol";
import { policyOf } from "./delivery-policy.ts";
import { EngineError, invalid } from "./engine-error.ts";
import type { Callback, MessageKind, NewMessage } from "./message.ts";
import type { Options } from "./options.ts";

/** A request to publish, from any route or method. */
export interface PublishRequest {
  readonly destination: string;
  /** Header names are in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** The parsed JSON of a large body, if it was parsed before. */
  readonly json?: { readonly value: unknown };
  readonly callerIp: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The message that a request asks for. */
export function toNewMessage(
  kind: MessageKind,
  url: string,
  options: Options,
  request: Pick<PublishRequest, "body" | "callerIp" | "now">,
): NewMessage {
  const plain = kind === "message";
  if (!plain && options.queue !== undefined) {
    throw invalid(HEADER.queueName, "a message of a run can't be in a queue: use flow control instead");
  }
  return {
    id: newMessageId(),
    kind,
    url,
    urlGroup: undefined,
    method: plain || kind === "call" ? (options.method ?? "POST") : "POST",
    forward: options.forward,
    contentType: options.contentType,
    body: plain && request.body.length > 0 ? request.body : undefined,
    ...policyOf(options),
    notBefore: options.notBefore ?? request.now + (options.delay ?? 0),
    createdAt: request.now,
    callerIp: request.callerIp,
    failureCallback: plain ? failureCallbackOf(undefined, options) : undefined,
    callback: plain ? callbackOf(options) : undefined,
    queue: options.queue,
  };
}

export function failureCallbackOf(fallback: string | undefined, options: Options): Callback | undefined {
  const url = options.failureUrl ?? (options.failure ? fallback : undefined);
  return url === undefined ? undefined : { url, options: options.failure };
}

export function callbackOf({ callbackUrl: url, callback: options }: Options): Callback | undefined {
  return url === undefined ? undefined : { url, options };
}

export function requireRunId(headers: ReadonlyMap<string, string>): string {
  const id = headers.get(LOWERCASE_HEADER.runId);
  if (id) return checkRunId(id);
  throw new EngineError(
    "invalid_request",
    `a request that belongs to a run needs the header ${HEADER.runId}`,
  );
}

export function checkRunId(id: string): string {
  // The id is part of headers, of paths, and of lists that are joined by commas.
  if (/^[\x21-\x2b\x2d-\x7e]{1,512}$/.test(id)) return id;
  throw invalid(
    HEADER.runId,
    `expected up to 512 visible ASCII characters without a comma, got ${JSON.stringify(id)}`,
  );
}

/** Reads headers from a JSON body. The first value of each header counts. */
export function firstValues(headers: unknown, field: string): Map<string, string> {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    throw invalid(field, "expected an object of lists of strings");
  }
  const first = new Map<string, string>();
  for (const [name, values] of Object.entries(headers)) {
    const value: unknown = Array.isArray(values) ? values[0] : values;
    if (value === undefined) continue;
    if (typeof value !== "string") throw invalid(`${field} ${name}`, "expected a list of strings");
    first.set(name.toLowerCase(), value);
  }
  return first;
}
