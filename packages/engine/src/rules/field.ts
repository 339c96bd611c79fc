import { checkDestination, type DestinationLimits } from "./destination.ts";
import { invalid } from "./engine-error.ts";
import { isHeaderValue } from "./header.ts";
import { checkSegment } from "./name.ts";
import { messageOf } from "./thrown.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type Method = (typeof METHODS)[number];

export function toMethod(text: string, field: string): Method {
  const method = METHODS.find((known) => known === text.toUpperCase());
  if (method) return method;
  throw invalid(field, `expected one of ${METHODS.join(", ")}, got "${text}"`);
}

export function toFlag(text: string, field: string): boolean {
  const flag = text.trim().toLowerCase();
  if (flag === "true" || flag === "false") return flag === "true";
  throw invalid(field, `expected true or false, got "${text}"`);
}

/** The schema of an id that a client chooses, in JSON Schema. */
export const ID = { minLength: 1, maxLength: 1024, pattern: "^(?!\\.{1,2}$)[^\\p{Cc}\\p{Cs}]*$" } as const;

/** @throws EngineError `invalid_request` unless it is an {@link ID} */
export function toId(text: string, field: string): string {
  const { minLength, maxLength } = ID;
  if (text.length < minLength || text.length > maxLength) {
    throw invalid(field, `expected ${minLength} to ${maxLength} characters, got ${text.length}`);
  }
  if (/[\p{Cc}\p{Cs}]/u.test(text))
    throw invalid(field, "it contains control characters, or half of a surrogate pair");
  checkSegment(text, field);
  return text;
}

/** Bytes of an event's id in UTF-8: an index of PostgreSQL takes about 2700. */
const MAX_EVENT_ID_BYTES = 2048;

/** @throws EngineError `invalid_request` unless it is an {@link ID} of at most 2048 bytes */
export function toEventId(text: string, field: string): string {
  const bytes = Buffer.byteLength(text);
  if (text.length <= ID.maxLength && bytes > MAX_EVENT_ID_BYTES)
    throw invalid(field, `expected ${MAX_EVENT_ID_BYTES} bytes of UTF-8 at most, got ${bytes}`);
  return toId(text, field);
}

export function toHeaderValue(text: string, field: string): string {
  if (isHeaderValue(text)) return text;
  throw invalid(field, "a header can't carry control characters, or characters outside Latin-1");
}

export function toUrl(text: string, field: string, limits?: DestinationLimits): string {
  try {
    return checkDestination(text, limits);
  } catch (cause) {
    throw invalid(field, messageOf(cause), { cause });
  }
}

/** Reads a URL from a value of a client's JSON, as {@link toUrl} does from a string. */
export function readUrl(value: unknown, field: string, limits: DestinationLimits): string {
  if (typeof value === "string") return toUrl(value, field, limits);
  throw invalid(field, "expected a string with a url");
}
