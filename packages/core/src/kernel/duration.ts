import { mustBe } from "./check.ts";

type Unit = "s" | "m" | "h" | "d";

/** A whole number and a unit: seconds, minutes, hours or days. Several may follow each other: `"1d12h"`. */
export type Duration = `${bigint}${Unit}` | `${bigint}${Unit}${bigint}${Unit}`;

const SECONDS: Record<Unit, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
const WHOLE = /^(?:\d+[smhd])+$/;

/**
 * The seconds in a duration.
 *
 * @param value a number of seconds, or a {@link Duration}
 * @param what whose it is, for the error
 * @throws TypeError when it is neither, is negative or isn't finite
 */
export function toSeconds(value: number | string, what = "A duration"): number {
  if (typeof value === "number") {
    if (Number.isFinite(value) && value >= 0) return value;
  } else if (typeof value === "string" && WHOLE.test(value)) {
    let seconds = 0;
    for (const [, amount, unit] of value.matchAll(/(\d+)([smhd])/g))
      seconds += Number(amount) * SECONDS[unit as Unit];
    return seconds;
  }
  throw mustBe(
    what,
    'a number of seconds from 0 on, or a text like "30s", "5m", "2h", "1d" or "1d12h"',
    value,
  );
}

/** As the protocol writes it: a number becomes whole seconds, everything else stays as it is. Throws as {@link toSeconds}. */
export function toWireDuration(value: number | string, what: string): string;
export function toWireDuration(value: number | string | undefined, what: string): string | undefined;
export function toWireDuration(value: number | string | undefined, what: string): string | undefined {
  if (value === undefined) return undefined;
  const seconds = toSeconds(value, what);
  return typeof value === "number" ? `${seconds.toFixed(0)}s` : value;
}
