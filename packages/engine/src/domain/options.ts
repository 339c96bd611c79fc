import { HEADER, PREFIX } from "@perdure/core/protocol";
import { checkDestination, type DestinationLimits } from "./destination.ts";
import { parseDuration } from "./duration.ts";
import { parseExpression } from "./expression.ts";
import { type FlowLimit, parseFlow } from "./flow.ts";
import { type HeaderList, isHeaderName, isHeaderValue } from "./header.ts";
import { invalid, messageOf, Problem, unsupported } from "./problem.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type Method = (typeof METHODS)[number];

/** How a message is to be delivered, read from headers. What wasn't said is `undefined` or empty. */
export interface Options {
  readonly method: Method | undefined;
  readonly contentType: string | undefined;
  /** For the destination, without their prefix. */
  readonly forward: HeaderList;
  readonly retries: number | undefined;
  /** An expression that parses. */
  readonly retryDelay: string | undefined;
  /** Milliseconds for one attempt. */
  readonly timeout: number | undefined;
  /** Milliseconds to wait before the first attempt. */
  readonly delay: number | undefined;
  /** Milliseconds since 1970; wins over `delay`. */
  readonly notBefore: number | undefined;
  readonly labels: readonly string[];
  readonly redact: Redaction | undefined;
  readonly flow: FlowLimit | undefined;
  /** Where a final failure is reported. */
  readonly failureUrl: string | undefined;
  /** How that report is to be delivered; `undefined` when nothing was said about it. */
  readonly failure: Options | undefined;
}

/** Parts that views show only as hashes. */
export interface Redaction {
  readonly body: boolean;
  /** All headers, or those of these names, in lower case. */
  readonly headers: true | readonly string[];
}

/** Above this many retries a message is refused. */
export interface OptionLimits extends DestinationLimits {
  readonly retries: number;
}

/** What this engine doesn't do, so that nobody waits for it. */
const UNSUPPORTED = [
  HEADER.callback,
  HEADER.cron,
  HEADER.scheduleId,
  HEADER.queueName,
  HEADER.deduplicationId,
  HEADER.contentBasedDeduplication,
  HEADER.headerForward,
].map((name) => [name.toLowerCase(), name] as const);

const FORWARD = PREFIX.forward.toLowerCase();
const CALLBACK = PREFIX.callback.toLowerCase();
const FAILURE = PREFIX.failureCallback.toLowerCase();
const OWN = PREFIX.own.toLowerCase();
const NAME = /^[a-zA-Z0-9\-_.]+$/;

/**
 * @param headers names in lower case
 * @param owner what every field's name is said to begin with: the failure callback's options have another prefix
 * @throws Problem 400 that names the field; 412 for more retries than the limit
 */
export function readOptions(
  headers: ReadonlyMap<string, string>,
  limits: OptionLimits,
  owner: string = PREFIX.own,
): Options {
  const shown = (name: string): string => owner + name.slice(PREFIX.own.length);
  refuseUnsupported(headers, shown);
  const read = <T>(name: string, parse: (text: string, field: string) => T): T | undefined => {
    const text = headers.get(name.toLowerCase());
    return text === undefined ? undefined : parse(text, shown(name));
  };
  const failure = withPrefix(headers, FAILURE, OWN);
  const nested = owner !== PREFIX.own;
  if (nested && (failure.size > 0 || headers.has(HEADER.failureCallback.toLowerCase()))) {
    throw unsupported(shown(HEADER.failureCallback));
  }
  return {
    method: read(HEADER.method, toMethod),
    contentType: read(HEADER.contentType, toHeaderValue),
    forward: [...withPrefix(headers, FORWARD, "")].map(checkForward),
    retries: read(HEADER.retries, (text, field) => toRetries(text, field, limits.retries)),
    retryDelay: read(HEADER.retryDelay, toExpression),
    timeout: read(HEADER.timeout, toTimeout),
    delay: read(HEADER.delay, toDelay),
    notBefore: read(HEADER.notBefore, toTime),
    labels: read(HEADER.label, toLabels) ?? [],
    redact: read(HEADER.redactFields, toRedaction),
    flow: parseFlow(
      headers.get(HEADER.flowControlKey.toLowerCase()),
      headers.get(HEADER.flowControlValue.toLowerCase()),
      shown,
    ),
    failureUrl: read(HEADER.failureCallback, (text, field) => toUrl(text, field, limits)),
    failure: failure.size > 0 ? readOptions(failure, limits, PREFIX.failureCallback) : undefined,
  };
}

function refuseUnsupported(headers: ReadonlyMap<string, string>, shown: (name: string) => string): void {
  for (const [name, canonical] of UNSUPPORTED) {
    const value = headers.get(name);
    if (value !== undefined && value.toLowerCase() !== "false") throw unsupported(shown(canonical));
  }
  for (const name of headers.keys()) if (name.startsWith(CALLBACK)) throw unsupported(shown(HEADER.callback));
}

/** Headers whose name begins with `prefix`, with `instead` in its place. */
export function withPrefix(
  headers: ReadonlyMap<string, string>,
  prefix: string,
  instead: string,
): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of headers) {
    if (name.startsWith(prefix)) found.set(instead + name.slice(prefix.length), value);
  }
  return found;
}

function checkForward([name, value]: [string, string]): [string, string] {
  if (!isHeaderName(name)) throw invalid(PREFIX.forward + name, "what follows the prefix is no header name");
  return [name, toHeaderValue(value, PREFIX.forward + name)];
}

function toHeaderValue(text: string, field: string): string {
  if (isHeaderValue(text)) return text;
  throw invalid(field, "a header can't carry control characters, or characters outside Latin-1");
}

function toMethod(text: string, field: string): Method {
  const method = METHODS.find((known) => known === text.toUpperCase());
  if (method) return method;
  throw invalid(field, `expected one of ${METHODS.join(", ")}, got "${text}"`);
}

function toRetries(text: string, field: string, most: number): number {
  if (!/^\d+$/.test(text.trim())) throw invalid(field, `expected a whole number from 0 on, got "${text}"`);
  const retries = Number(text);
  if (retries > most) throw new Problem(412, `${field} is ${text}, more than the ${most} that are allowed`);
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
  throw invalid(field, "expected more than no time");
}

function toTime(text: string, field: string): number {
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (seconds * 1000 <= Number.MAX_SAFE_INTEGER) return seconds * 1000;
  throw invalid(field, `expected a unix time in whole seconds, got "${text}"`);
}

function toLabels(text: string, field: string): string[] {
  const labels = text.split(",").map((label) => label.trim());
  for (const label of labels) {
    if (!NAME.test(label)) throw invalid(field, `"${label}" must be of letters, digits, "-", "_" and "."`);
  }
  return labels;
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

function toUrl(text: string, field: string, limits: OptionLimits): string {
  try {
    return checkDestination(text, limits);
  } catch (cause) {
    throw invalid(field, messageOf(cause), { cause });
  }
}
