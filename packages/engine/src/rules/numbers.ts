import { checkOptions } from "@perdure/core/protocol";

/** What a number of the configuration may be: a whole one from 1 or from 0 on, or milliseconds above 0 or from 0 on. */
export type Range = "count" | "count or none" | "time" | "time or none";

const RANGES: Readonly<Record<Range, { readonly text: string; readonly holds: (value: number) => boolean }>> =
  {
    count: { text: "a whole number from 1 on", holds: (value) => isCount(value) && value >= 1 },
    "count or none": { text: "a whole number from 0 on", holds: isCount },
    time: { text: "a number of milliseconds above 0", holds: (value) => value > 0 },
    "time or none": { text: "a number of milliseconds from 0 on", holds: (value) => value >= 0 },
  };

/**
 * @param ranges every name that there may be; what isn't given or `undefined` is fine
 * @param prefix of the names in a message
 * @throws TypeError that names the field
 */
export function checkNumbers(
  values: Readonly<Record<string, unknown>>,
  ranges: Readonly<Record<string, Range>>,
  prefix: string,
): void {
  checkOptions(prefix.replace(/\.$/, ""), values, Object.keys(ranges).join(" "));
  for (const [name, value] of Object.entries(values)) {
    const range = ranges[name];
    if (range === undefined) continue;
    const { text, holds } = RANGES[range];
    if (value !== undefined && !(typeof value === "number" && holds(value))) {
      throw new TypeError(`${prefix}${name} must be ${text}; got ${String(value)}.`);
    }
  }
}

/** `Infinity` stands for any number. */
function isCount(value: number): boolean {
  return (Number.isInteger(value) || value === Number.POSITIVE_INFINITY) && value >= 0;
}
