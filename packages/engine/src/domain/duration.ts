const SECOND = 1000;
const MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
  d: 86_400 * SECOND,
};

/** A hundred million days, which is as far as a `Date` goes: what is this far from now is still a whole number. */
export const LONGEST: number = 8.64e15;

/** Nothing in the protocol waits longer than this for a retry. */
export const DAY: number = 86_400 * SECOND;

/**
 * A duration as options give it: `"90"` (seconds), `"5m"`, `"1d12h"`.
 *
 * @returns milliseconds, `undefined` for anything else
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return finite(Number(trimmed) * SECOND);
  return /^(?:\d+[smhd])+$/.test(trimmed) ? finite(sum(trimmed)) : undefined;
}

/**
 * A duration as Go prints it: `"1h2m3.5s"`, `"250ms"`; days too, since workflows may ask for them.
 *
 * @returns milliseconds, `undefined` for anything else
 */
export function parseGoDuration(text: string): number | undefined {
  return /^(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h|d))+$/.test(text) ? finite(sum(text)) : undefined;
}

function sum(text: string): number {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h|d)/g)) {
    total += Number(amount) * (MS[unit as string] as number);
  }
  return total;
}

function finite(ms: number): number | undefined {
  return ms <= LONGEST ? ms : undefined;
}
