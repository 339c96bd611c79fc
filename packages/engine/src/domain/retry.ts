import { HEADER } from "@perdure/core/protocol";
import { DAY, parseGoDuration } from "./duration.ts";
import { parseExpression } from "./expression.ts";
import { firstValue, type HeaderMap } from "./header.ts";

/** Answers' headers that say when to come back, the first that can be read counts. */
const COME_BACK = [
  HEADER.retryAfter,
  "X-RateLimit-Reset",
  "X-RateLimit-Reset-Requests",
  "X-RateLimit-Reset-Tokens",
];
const RFC1123 = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Milliseconds until the next attempt, at most a day: what the answer asked for, else the message's own expression,
 * else the default backoff.
 *
 * @param retried retries made so far: 0 after the first attempt
 */
export function retryWait(
  retryDelay: string | undefined,
  retried: number,
  headers: HeaderMap | undefined,
  now: number,
): number {
  const asked = headers && waitAskedFor(headers, now);
  if (asked !== undefined) return asked;
  return retryDelay === undefined ? backoff(retried) : clamp(parseExpression(retryDelay)(retried));
}

/** e^(2.5·n) seconds before retry n: 12 s, 2 min 28 s, 30 min 8 s, 6 h 7 min 6 s, then a day. */
export function backoff(retried: number): number {
  return Math.min(DAY, Math.floor(Math.exp(2.5 * (retried + 1))) * 1000);
}

/** Milliseconds that an answer asks to wait; `undefined` when it doesn't, or asks for more than a day. */
export function waitAskedFor(headers: HeaderMap, now: number): number | undefined {
  for (const name of COME_BACK) {
    const value = firstValue(headers, name)?.trim();
    const wait = value ? parseWait(value, now) : undefined;
    if (wait !== undefined && wait <= DAY) return wait;
  }
  return undefined;
}

function parseWait(value: string, now: number): number | undefined {
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  if (!RFC1123.test(value)) return parseGoDuration(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function clamp(ms: number): number {
  return ms > 0 ? Math.min(DAY, Math.round(ms)) : 0;
}
