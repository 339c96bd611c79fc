import { shorten } from "@perdure/core/protocol";
import { toBytes, toText } from "./bytes.ts";

const MAX_ITEMS = 10;
const MAX_DEPTH = 20;
const MIN_STRING_BYTES = 32;

/** The most bytes that a string of the excerpt may have. */
interface StringLimits {
  readonly text: number;
  readonly stack: number;
}

/**
 * Shortens the body of a failed attempt's answer. An object in JSON stays one, because an error that is cut in its middle
 * can't be read: its strings become shorter, stacks before messages. Another body ends after `maxBytes`.
 *
 * @example
 * ```ts
 * shortenAnswer(toBytes(JSON.stringify({ error: "Error", message: "boom", stack: long })), 4096);
 * ```
 */
export function shortenAnswer(body: Uint8Array, maxBytes: number): Uint8Array {
  if (body.length <= maxBytes) return body;
  const answer = parseObject(body);
  if (!answer) return beginningOf(body, maxBytes);
  for (let text = maxBytes / 2; text >= MIN_STRING_BYTES; text /= 2) {
    for (const stack of [text, text / 4]) {
      const shorter = toBytes(JSON.stringify(shortenStrings(answer, { text, stack })));
      if (shorter.length <= maxBytes) return shorter;
    }
  }
  // The object has too many fields, or long names. These two fields say what failed.
  const { error, message } = answer;
  const text = maxBytes / 4;
  const named = toBytes(JSON.stringify(shortenStrings({ error, message }, { text, stack: text })));
  const isReadable = message !== undefined || error !== undefined;
  return isReadable && named.length <= maxBytes ? named : beginningOf(body, maxBytes);
}

/** How the answer of a failure or cancel function begins. */
const RESULT = '{"result":';

/**
 * Makes the kept beginning of a function's answer readable JSON again, with no more bytes: its result becomes a string, the
 * beginning of the result's JSON and a mark. Returns another body as it is.
 *
 * @example
 * ```ts
 * closeResult(toBytes('{"result":{"mails":["ann@exam')); // {"result":"{\"mails\":… [cut: the engine keeps 29 bytes]"}
 * ```
 */
export function closeResult(beginning: Uint8Array): Uint8Array {
  const size = beginning.length;
  const text = toText(beginningOf(beginning, size));
  const mark = `… [cut: the engine keeps ${size} bytes]`;
  const room = size - toBytes(`${RESULT}"${mark}"}`).length;
  if (!text.startsWith(RESULT) || room < 0) return beginning;
  let kept = text.slice(RESULT.length);
  for (let bytes = jsonBytes(kept); bytes > room; bytes = jsonBytes(kept))
    kept = kept.slice(0, Math.floor((kept.length * room) / bytes));
  // Half of a character may be left at the end.
  return toBytes(`${RESULT}${JSON.stringify(kept.replace(/[\ud800-\udbff\ufffd]$/, "") + mark)}}`);
}

/** The bytes of a string in JSON, without its quotation marks. */
function jsonBytes(text: string): number {
  return toBytes(JSON.stringify(text)).length - 2;
}

/** The first bytes of a body, without a part of a character at their end. */
function beginningOf(body: Uint8Array, maxBytes: number): Uint8Array {
  let end = maxBytes;
  // A character of UTF-8 has at most three continuation bytes. A body of another encoding may have more.
  while (end > maxBytes - 3 && ((body[end] ?? 0) & 0xc0) === 0x80) end--;
  return body.subarray(0, Math.max(0, end));
}

function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(toText(body));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Shortens each string in a JSON value, and keeps the first items of each list. */
function shortenStrings(value: unknown, limits: StringLimits, depth = 0): unknown {
  if (typeof value === "string") return shorten(value, limits.text);
  if (typeof value !== "object" || value === null) return value;
  if (depth === MAX_DEPTH) return "…";
  if (Array.isArray(value)) {
    return value.slice(0, MAX_ITEMS).map((item) => shortenStrings(item, limits, depth + 1));
  }
  const shortened = Object.entries(value).map(([name, inner]) => {
    const isStack = name === "stack" && typeof inner === "string";
    return [name, isStack ? shorten(inner, limits.stack) : shortenStrings(inner, limits, depth + 1)];
  });
  return Object.fromEntries(shortened);
}
