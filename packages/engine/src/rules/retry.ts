import { HEADER, MAX_DURATION_MS, parseDuration } from "@perdure/core/protocol";
import { DAY } from "./duration.ts";
import { parseExpression } from "./expression.ts";
import { firstValue, type HeaderMap } from "./header.ts";

/**
 * Headers of an answer that say when a limit ends. Many services send them with each answer, whatever the
 * failure.
 */
const LIMIT_ENDS = ["X-RateLimit-Reset", "X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens"];
const RFC1123 = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Retries, as a step, its message and the engine set them. */
export interface RetryCounts {
  /** The retries that the step asks for with its failure. */
  readonly asked: number | undefined;
  /** The retries of the message, which its sender, its run or the engine has set. */
  readonly own: number;
  /** The most retries that a step may ask for. */
  readonly most: number;
  /** The fewest retries that the message gets, unless its step asks for a number. */
  readonly least: number;
}

/** The retries that a failed attempt leaves its message, those made before included. */
export function allowedRetries({ asked, own, most, least }: RetryCounts): number {
  return asked === undefined ? Math.max(own, least) : Math.min(asked, most);
}

/** The facts that decide whether another attempt follows a failed one. */
export interface RetryFacts {
  /** The time of the failure, in milliseconds since 1970. */
  readonly at: number;
  /** Retries made so far: 0 after the first attempt. */
  readonly retried: number;
  /** Retries that the message may have in all. */
  readonly retries: number;
  /** Another attempt would not help. */
  readonly final: boolean;
  /** The message's, or the run's, expression for the wait. */
  readonly retryDelay: string | undefined;
  /** Milliseconds that the step asks to wait. */
  readonly wait?: number | undefined;
  /** The headers of the answer, which may ask to wait. */
  readonly headers?: HeaderMap | undefined;
  /** The endpoint may not have received the request. */
  readonly unheard?: boolean | undefined;
}

/** The decision after a failed attempt. */
export type RetryDecision =
  | { readonly kind: "give up" }
  | {
      readonly kind: "retry";
      /** Milliseconds since 1970. */
      readonly at: number;
      /** A report that waits for this message goes out now. */
      readonly alarm: boolean;
    };

/** Decides whether another attempt follows a failed one, and when. */
export function decideRetry(facts: RetryFacts): RetryDecision {
  const { at, retried, retries, final, retryDelay, wait, headers, unheard = false } = facts;
  if (final || retried >= retries) return { kind: "give up" };
  return { kind: "retry", at: at + (wait ?? retryWait(retryDelay, retried, headers, at)), alarm: unheard };
}

/**
 * Milliseconds until the next attempt: the wait that the answer asked for, else that of the message's own
 * expression, else the default backoff. The engine doesn't shorten a wait that the answer asked for.
 * Expressions over `retried` grow, and stop at a day.
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
  if (retryDelay === undefined) return backoff(retried);
  const wait = Math.ceil(parseExpression(retryDelay)(retried));
  if (!(wait > 0)) return 0;
  return Number.isFinite(wait) && !retryDelay.includes("retried")
    ? Math.min(MAX_DURATION_MS, wait)
    : Math.min(DAY, wait);
}

/** e^(2.5·n) seconds before retry n: 12 s, 2 min 28 s, 30 min 8 s, 6 h 7 min 6 s, then a day. */
export function backoff(retried: number): number {
  return Math.min(DAY, Math.floor(Math.exp(2.5 * (retried + 1))) * 1000);
}

/**
 * Returns the milliseconds that an answer asks to wait, by `Retry-After`. Without this header, the end of a
 * rate limit counts if it is less than a day away: a later end need not be the reason of the failure.
 * `undefined` when the answer doesn't say.
 */
export function waitAskedFor(headers: HeaderMap, now: number): number | undefined {
  const asked = parseWait(firstValue(headers, HEADER.retryAfter), now);
  if (asked !== undefined) return asked;
  const ends = LIMIT_ENDS.map((name) => parseWait(firstValue(headers, name), now));
  return ends.find((wait) => wait !== undefined && wait <= DAY);
}

/** The least number of seconds that is read as a Unix time and not as a duration: it is 31 years. */
const UNIX_TIME = 1e9;
/** The same threshold in milliseconds. */
const UNIX_TIME_MS = 1e12;

function parseWait(text: string | undefined, now: number): number | undefined {
  const value = text?.trim() ?? "";
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (number >= UNIX_TIME) return Math.max(0, (number >= UNIX_TIME_MS ? number : number * 1000) - now);
  if (!RFC1123.test(value)) return parseDuration(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
