import { mustBe, tagOf } from "./check.ts";

type Unit = "ms" | "s" | "m" | "h" | "d";

/**
 * A number and a unit: milliseconds, seconds, minutes, hours or days. Two may follow each other: `"1d12h"`.
 *
 * @example "90s", "1.5h", "250ms", "1d12h"
 */
export type Duration = `${Amount}${Unit}` | `${Amount}${Unit}${Amount}${Unit}`;

/** A bigint is a whole number here, as in the type of the same name of the official clients. */
type Amount = number | bigint;

/** In milliseconds. Those below one are Go's: an answer may ask for a wait in them. */
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
};
const PART = /(\d+(?:\.\d+)?)([nuµμm]?s|[mhd])/gy;
/** Parts that every engine reads. */
const WHOLE_PARTS = /^(?:\d+[smhd])+$/;

/** Milliseconds: a hundred million days, which is as far as a `Date` goes. */
export const MAX_DURATION_MS = 8.64e15;

/** A Unix time in seconds: in the year 5138. In milliseconds, every moment since 1973 is later. */
const MAX_UNIX_TIME = 1e11;

/**
 * Reads a duration as the wire has it: a number of seconds such as `"90"`, or numbers with units such as `"1m30.5s"`.
 *
 * @returns whole milliseconds, rounded up so that no rest ends early; undefined for anything else
 */
export function parseDuration(text: string): number | undefined {
  const parts = text.trim().replace(/^[\d.]+$/, "$&s");
  let ms = 0;
  const rest = parts.replace(PART, (_, amount, unit) => {
    ms += Number(amount) * (UNITS[unit] as number);
    return "";
  });
  return parts && !rest && ms <= MAX_DURATION_MS ? roundUp(ms) : undefined;
}

/**
 * The milliseconds of a duration that user code gives, rounded up: a number of seconds, or a {@link Duration}.
 *
 * @param what the name for the error
 * @param others what else it may be, for the error
 * @throws TypeError for anything else: `undefined`, `null`, a negative number, digits without a unit
 */
export function toMilliseconds(value: unknown, what: string, others = ""): number {
  let ms: number | undefined;
  if (typeof value === "number" && value >= 0) ms = roundUp(value * 1000);
  else if (typeof value === "string" && /^\S+[a-z]$/.test(value)) ms = parseDuration(value);
  if (ms !== undefined && ms <= MAX_DURATION_MS) return ms;
  throw mustBe(what, `a number of seconds, or a duration like "30s" or "1d12h"${others}`, value);
}

/**
 * The milliseconds of a time limit, as {@link toMilliseconds} reads them.
 *
 * @throws TypeError also for 0
 */
export function toTimeLimit(value: unknown, what: string): number {
  const ms = toMilliseconds(value, what);
  if (ms > 0) return ms;
  throw mustBe(what, "longer than 0 seconds", value);
}

/** As {@link toMilliseconds}, in seconds. */
export function toSeconds(value: unknown, what: string): number {
  return toMilliseconds(value, what) / 1000;
}

/**
 * A duration as the wire has it. Engines count whole seconds, so it is rounded up; with `exact`, milliseconds are kept.
 *
 * @throws as {@link toMilliseconds}
 */
export function toWireDuration(value: unknown, what: string, exact = false): string {
  const ms = toMilliseconds(value, what);
  if (typeof value === "string" && WHOLE_PARTS.test(value)) return value;
  return exact && ms % 1000 > 0 ? `${ms}ms` : `${Math.ceil(ms / 1000)}s`;
}

/**
 * A moment that user code gives: a `Date`, a date as a string, or a Unix time in seconds.
 *
 * @returns Unix time in seconds, rounded up to milliseconds
 * @throws TypeError for anything else, and for milliseconds
 */
export function toUnixTime(value: unknown, what: string): number {
  const isDate = typeof value === "string" || tagOf(value) === "[object Date]";
  const seconds = isDate ? Number(new Date(value as Date | string)) / 1000 : value;
  if (typeof seconds === "number" && seconds >= 0 && seconds <= MAX_UNIX_TIME)
    return roundUp(seconds * 1000) / 1000;
  throw mustBe(what, "a Date, a date as a string, or a Unix time in seconds (not milliseconds)", value);
}

/**
 * A moment as the wire has it: in whole seconds, rounded up; with `exact`, milliseconds are kept.
 *
 * @throws as {@link toUnixTime}
 */
export function toWireTime(value: unknown, what: string, exact = false): string {
  const seconds = toUnixTime(value, what);
  return String(exact ? seconds : Math.ceil(seconds));
}

/**
 * Reads a moment as the wire has it.
 *
 * @returns milliseconds since 1970; undefined for anything but a Unix time in seconds, and for milliseconds
 */
export function parseUnixTime(text: string): number | undefined {
  const seconds = /^\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
  return seconds <= MAX_UNIX_TIME ? roundUp(seconds * 1000) : undefined;
}

/** Rounded up, but for what arithmetic with decimals has added: 1.1 s are 1100 ms. */
function roundUp(ms: number): number {
  return Math.ceil(Number(ms.toPrecision(15)));
}
