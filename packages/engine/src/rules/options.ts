import {
  HEADER,
  LOWERCASE_HEADER,
  LOWERCASE_PREFIX,
  PREFIX,
  parseDuration,
  parseUnixTime,
} from "@perdure/core/protocol";
import type { DeliveryPolicy, Redaction } from "./delivery-policy.ts";
import type { DestinationLimits } from "./destination.ts";
import { invalid, overLimit, unsupported } from "./engine-error.ts";
import { parseExpression } from "./expression.ts";
import { type Method, toFlag, toHeaderValue, toId, toMethod, toUrl } from "./field.ts";
import { parseFlow } from "./flow.ts";
import { readForwarded, withPrefix } from "./forward.ts";
import type { HeaderList } from "./header.ts";
import { toName } from "./name.ts";
import type { OptionHeader } from "./option-headers.ts";
import { messageOf } from "./thrown.ts";

/**
 * The delivery options in a request's headers. An option that the request doesn't name is `undefined` or
 * empty.
 */
export interface Options extends DeliveryPolicy {
  readonly method: Method | undefined;
  readonly contentType: string | undefined;
  /** Headers for the destination, without their prefix. */
  readonly forward: HeaderList;
  /** Milliseconds to wait before the first attempt. */
  readonly delay: number | undefined;
  /** Milliseconds since 1970; wins over `delay`. */
  readonly notBefore: number | undefined;
  /** The deduplication key: an id of the publisher's, or the content of the message. */
  readonly deduplication: { readonly id: string } | "content" | undefined;
  /** The URL to which the engine reports each attempt. */
  readonly callbackUrl: string | undefined;
  /**
   * The delivery options of those reports; `undefined` when the request sets none. Without a URL they have no
   * effect: clients send them with every message.
   */
  readonly callback: Options | undefined;
  /** The queue in which it waits for its turn. */
  readonly queue: string | undefined;
  /** The URL to which the engine reports a final failure. */
  readonly failureUrl: string | undefined;
  /**
   * The delivery options of that report; `undefined` when the request sets none. Only a run may have them
   * without a URL.
   */
  readonly failure: Options | undefined;
}

/** The limits above which the engine refuses a message. Times in milliseconds. */
export interface OptionLimits extends DestinationLimits {
  readonly retries: number;
  /** The longest delay of a delivery. Default: no limit. */
  readonly delay?: number | undefined;
  /** The longest timeout of an attempt; a longer one is reduced to it. Default: no limit. */
  readonly timeout?: number | undefined;
  /** Bytes of a message's body. Default: no limit. */
  readonly messageBytes?: number | undefined;
  /** The time for which the engine recognises a repeated message. Default: 10 minutes. */
  readonly deduplication?: number | undefined;
}

/** Options that a report can't have, because the engine itself sends it. */
const OF_PUBLISHERS = (
  ["deduplicationId", "contentBasedDeduplication", "headerForward", "queueName"] as const
).map((key) => [LOWERCASE_HEADER[key], HEADER[key]] as const);

const CALLBACK = LOWERCASE_PREFIX.callback;
const FAILURE = LOWERCASE_PREFIX.failureCallback;
const OWN = LOWERCASE_PREFIX.own;
/** Reports of reports of a message. */
const MAX_DEPTH = 8;

/**
 * Reads the delivery options in a request's headers.
 *
 * @param headers names in lower case
 * @param owner the prefix of field names in errors: the options of callbacks have other prefixes
 * @throws EngineError `invalid_request` that names the field; `limit_reached` for more than the limits
 */
export function readOptions(
  headers: ReadonlyMap<string, string>,
  limits: OptionLimits,
  owner: string = PREFIX.own,
): Options {
  const shown = (name: string): string => owner + name.slice(PREFIX.own.length);
  const nested = owner !== PREFIX.own;
  if (nested) refuseOfPublishers(headers, shown);
  refuseScheduled(headers, shown);
  const read = <T>(name: OptionHeader, parse: (text: string, field: string) => T): T | undefined => {
    const text = headers.get(name.toLowerCase());
    return text === undefined ? undefined : parse(text, shown(name));
  };
  const contentType = headers.get(LOWERCASE_HEADER.contentType);
  const callback = readNested(headers, CALLBACK, limits, shown(PREFIX.callback));
  const failure = readNested(headers, FAILURE, limits, shown(PREFIX.failureCallback));
  const toTarget = (text: string, field: string): string => toUrl(text, field, limits);
  const callbackUrl = read(HEADER.callback, toTarget);
  const failureUrl = read(HEADER.failureCallback, toTarget);
  return {
    method: read(HEADER.method, toMethod),
    contentType:
      contentType === undefined ? undefined : toHeaderValue(contentType, shown(HEADER.contentType)),
    forward: readForwarded(headers, shown),
    retries: read(HEADER.retries, (text, field) => toRetries(text, field, limits.retries)),
    retryDelay: read(HEADER.retryDelay, toExpression),
    timeout: read(HEADER.timeout, (text, field) =>
      Math.min(toTimeout(text, field), limits.timeout ?? Infinity),
    ),
    delay: read(HEADER.delay, toDelay),
    notBefore: read(HEADER.notBefore, toTime),
    labels: read(HEADER.label, toLabels) ?? [],
    redact: read(HEADER.redactFields, toRedaction),
    flow: parseFlow(
      headers.get(LOWERCASE_HEADER.flowControlKey),
      headers.get(LOWERCASE_HEADER.flowControlValue),
      shown,
    ),
    queue: read(HEADER.queueName, toName),
    deduplication: toDeduplication(
      read(HEADER.deduplicationId, toId),
      read(HEADER.contentBasedDeduplication, toFlag),
    ),
    callbackUrl,
    callback,
    failureUrl,
    failure,
  };
}

function refuseOfPublishers(headers: ReadonlyMap<string, string>, shown: (name: string) => string): void {
  for (const [name, canonical] of OF_PUBLISHERS) {
    const value = headers.get(name);
    if (value !== undefined && value.toLowerCase() !== "false") throw unsupported(shown(canonical));
  }
}

/** Refuses a schedule's own headers: the engine removes them before it reads the options of the messages. */
function refuseScheduled(headers: ReadonlyMap<string, string>, shown: (name: string) => string): void {
  if (headers.has(LOWERCASE_HEADER.cron)) {
    throw invalid(shown(HEADER.cron), "a schedule is made by /v2/schedules or /v2/publish, by itself");
  }
  if (headers.has(LOWERCASE_HEADER.scheduleId)) {
    throw invalid(shown(HEADER.scheduleId), `it needs ${HEADER.cron} beside it`);
  }
}

/**
 * Reads the options of a report, which has the same options under a prefix, and so have the reports of a
 * report.
 */
function readNested(
  headers: ReadonlyMap<string, string>,
  prefix: string,
  limits: OptionLimits,
  owner: string,
): Options | undefined {
  const own = withPrefix(headers, prefix, OWN);
  if (own.size === 0) return undefined;
  if (owner.split("Callback-").length - 1 > MAX_DEPTH) {
    throw invalid(owner, `reports of reports may be at most ${MAX_DEPTH} levels deep`);
  }
  return readOptions(own, limits, owner);
}

function toDeduplication(id: string | undefined, byContent: boolean | undefined): Options["deduplication"] {
  if (id !== undefined) return { id };
  return byContent ? "content" : undefined;
}

function toRetries(text: string, field: string, most: number): number {
  if (!/^\d+$/.test(text.trim())) throw invalid(field, `expected a whole number from 0 on, got "${text}"`);
  const retries = Number(text);
  if (retries > most) throw overLimit(field, text, most);
  return retries;
}

function toExpression(text: string, field: string): string {
  try {
    parseExpression(text);
    return text;
  } catch (cause) {
    throw invalid(field, `${messageOf(cause)} in "${text}"`, { cause });
  }
}

function toDelay(text: string, field: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw invalid(field, `expected a duration such as "30s", "5m" or "1d12h", got "${text}"`);
}

function toTimeout(text: string, field: string): number {
  const ms = toDelay(text, field);
  if (ms > 0) return ms;
  throw invalid(field, "expected a duration longer than 0");
}

function toTime(text: string, field: string): number {
  const ms = parseUnixTime(text);
  if (ms !== undefined) return ms;
  const hint = Number(text) > 0 ? ", which looks like milliseconds" : "";
  throw invalid(field, `expected a unix time in seconds, got "${text}"${hint}`);
}

function toLabels(text: string, field: string): string[] {
  return text.split(",").map((label) => toName(label.trim(), field));
}

function toRedaction(text: string, field: string): Redaction {
  let body = false;
  let headers: true | string[] = [];
  for (const part of text.split(",").map((part) => part.trim())) {
    const name = /^headers?\[(.+)\]$/i.exec(part)?.[1];
    if (part.toLowerCase() === "body") body = true;
    else if (/^headers?$/i.test(part)) headers = true;
    else if (name === undefined) throw invalid(field, `expected body, header or header[Name], got "${part}"`);
    else if (headers !== true) headers.push(name.toLowerCase());
  }
  return { body, headers };
}
