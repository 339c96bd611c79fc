import { mustBe } from "../kernel/check.ts";
import { parseDuration, toMilliseconds } from "../kernel/duration.ts";

/**
 * The wait before a retry: seconds, a duration, or an expression over `retried`, the number of retries so far, whose value
 * is in milliseconds.
 *
 * @example 5, "5s", "1000 * pow(2, retried)"
 */
export type RetryDelayOption = number | string;

/** As the wire has it: an expression in milliseconds. @throws TypeError that names the option */
export function toRetryDelay(value: RetryDelayOption | undefined, what: string): string | undefined {
  // An empty string is the official client's way to leave it out.
  if (value === undefined || value === "") return undefined;
  if (typeof value === "number") return String(toMilliseconds(value, what));
  if (typeof value === "string") {
    const ms = /[smhd]$/.test(value) ? parseDuration(value) : undefined;
    if (ms !== undefined) return String(ms);
    if (isExpression(value)) return value;
  }
  throw mustBe(
    what,
    'a number of seconds, a duration like "5s", or milliseconds as an expression like "1000 * pow(2, retried)"',
    value,
  );
}

const SUM = "-*#(?:[-+*/]-*#)*";
const GROUP = new RegExp(
  `(?:pow\\(${SUM},${SUM}\\)|(?:min|max)\\(${SUM}(?:,${SUM})*\\)|(?:sqrt|abs|exp|floor|ceil|round)?\\(${SUM}\\))`,
  "g",
);
const WHOLE = new RegExp(`^${SUM}$`);

/**
 * Whether an engine can read an expression: numbers, `retried`, `+ - * /`, parentheses, and `pow`, `sqrt`, `abs`, `exp`,
 * `floor`, `ceil`, `round`, `min`, `max`. Each operand becomes a `#`, and each group that is complete another one.
 */
export function isExpression(source: string): boolean {
  if (source.length > 1000 || /[^\w\s.+\-*/(),]/.test(source)) return false;
  let rest = source
    .replace(/\d+(?:\.\d*)?|\.\d+|\bretried\b/g, "#")
    .replace(/\s*([-+*/(),])\s*/g, "$1")
    .trim();
  for (let before = ""; before !== rest; ) {
    before = rest;
    rest = rest.replace(GROUP, "#");
  }
  return WHOLE.test(rest);
}
