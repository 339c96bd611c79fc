import { type Duration, parseDuration } from "@perdure/core/protocol";

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

/** Milliseconds in the two largest units that they have: `2 min 28 s`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** @returns milliseconds @throws TypeError for anything but seconds and a duration */
export function toMs(duration: number | Duration, what: string): number {
  const ms = parseDuration(String(duration));
  if (ms !== undefined) return ms;
  throw new TypeError(`${what} must be seconds or a duration such as "5m"; got ${JSON.stringify(duration)}.`);
}
