import { mustBe, tagOf } from "./check.ts";

type Unit = "ms" | "s" | "m" | "h" | "d" | "w";

/**
 * A number and a unit: milliseconds, seconds, minutes, hours, days or weeks. Two may follow each other: `"1d12h"`.
 *
 * @example
 * ```ts
 * const durations: Duration[] = ["90s", "1.5h", "250ms", "1d12h"];
 * ```
 */
export type Duration = `${Amount}${Unit}` | `${Amount}${Unit}${Amount}${Unit}`;

/** In this type, `bigint` stands for whole numbers, as in the official clients' `Duration`. */
type Amount = number | bigint;

/** Milliseconds of each unit. Go's units below one may occur in an answer's `Retry-After`. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const PART = /(\d+(?:\.\d+)?)([nuµμm]?s|[mhdw])/gy;
/** Durations that every engine reads. */
const WHOLE_PARTS = /^(?:\d+[smhd])+$/;

/** The longest duration in milliseconds, of 3170 years. `Date.now()` in the place of a number of seconds is above it. */
export const MAX_DURATION_MS = 1e14;

/** The latest Unix time in seconds, in the year 5138. A time in milliseconds is above it. */
const MAX_UNIX_TIME = 1e11;

/**
 * Parses a duration of the wire: a number of seconds such as `"90"`, or numbers with units such as `"1m30.5s"`.
 *
 * @returns whole milliseconds, rounded up so that no wait ends early; undefined for an invalid duration
 * @example
 * ```ts
 * parseDuration("1m30.5s"); // 90500
 * parseDuration("soon"); // undefined
 * ```
 */
export function parseDuration(value: string): number | undefined {
  const parts = value.trim().replace(/^[\d.]+$/, "$&s");
  let ms = 0;
  const rest = parts.replace(PART, (_, amount, unit) => {
    ms += Number(amount) * (UNITS[unit] as number);
    return "";
  });
  return parts && !rest && ms <= MAX_DURATION_MS ? roundUp(ms) : undefined;
}

/**
 * Converts a duration from user code to milliseconds, rounded up: a number of seconds, or a {@link Duration}.
 *
 * @param what the value's name in the error
 * @param others further valid values, in the error
 * @throws TypeError for an invalid duration, such as a negative number, or digits without a unit
 */
export function toMilliseconds(value: unknown, what: string, others = ""): number {
  let ms: number | undefined;
  if (typeof value === "number" && value >= 0) ms = roundUp(value * 1000);
  else if (typeof value === "string" && /^\S+[a-z]$/.test(value)) ms = parseDuration(value);
  if (ms !== undefined && ms <= MAX_DURATION_MS) return ms;
  throw mustBe(what, `a number of seconds, or a duration like "30s" or "1d12h"${others}`, value);
}

/**
 * Reads a time limit like {@link toMilliseconds}.
 *
 * @throws TypeError also for 0
 */
export function toTimeLimit(value: unknown, what: string): number {
  const ms = toMilliseconds(value, what);
  if (ms > 0) return ms;
  throw mustBe(what, "longer than 0 seconds", value);
}

/** Like {@link toMilliseconds}, in seconds. */
export function toSeconds(value: unknown, what: string): number {
  return toMilliseconds(value, what) / 1000;
}

/**
 * Converts a duration from user code to one of the wire, rounded up to whole seconds; with `exact`, it keeps milliseconds.
 *
 * @throws as {@link toMilliseconds}
 */
export function toWireDuration(value: unknown, what: string, exact = false): string {
  const ms = toMilliseconds(value, what);
  if (typeof value === "string" && WHOLE_PARTS.test(value)) return value;
  return exact && ms % 1000 > 0 ? `${ms}ms` : `${Math.ceil(ms / 1000)}s`;
}

/**
 * Converts a time from user code: a `Date`, a date as a string, or a Unix time in seconds.
 *
 * @returns Unix time in seconds, rounded up to milliseconds
 * @throws TypeError for an invalid time, and for milliseconds
 */
export function toUnixTime(value: unknown, what: string): number {
  const isDate = typeof value === "string" || tagOf(value) === "[object Date]";
  const seconds = isDate ? Number(new Date(value as Date | string)) / 1000 : value;
  if (typeof seconds === "number" && seconds >= 0 && seconds <= MAX_UNIX_TIME)
    return roundUp(seconds * 1000) / 1000;
  throw mustBe(what, "a Date, a date string, or a Unix time in seconds (not milliseconds)", value);
}

/**
 * Converts a time from user code to one of the wire, rounded up to whole seconds; with `exact`, it keeps milliseconds.
 *
 * @throws as {@link toUnixTime}
 */
export function toWireTime(value: unknown, what: string, exact = false): string {
  const seconds = toUnixTime(value, what);
  return String(exact ? seconds : Math.ceil(seconds));
}

/**
 * Parses a Unix time in seconds.
 *
 * @returns milliseconds since 1970; undefined for an invalid time, and for milliseconds
 * @example
 * ```ts
 * parseUnixTime("1700000000"); // 1700000000000
 * ```
 */
export function parseUnixTime(value: string): number | undefined {
  const seconds = /^\d+(?:\.\d+)?$/.test(value.trim()) ? Number(value) : Number.NaN;
  return seconds <= MAX_UNIX_TIME ? roundUp(seconds * 1000) : undefined;
}

/** Rounds up, without the error of floating-point arithmetic: 1.1 s are 1100 ms. */
function roundUp(ms: number): number {
  return Math.ceil(Number(ms.toPrecision(15)));
}
