import { toMilliseconds } from "../util/duration.ts";

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
  if (typeof value === "string" && isExpression(value)) return value;
  return String(toMilliseconds(value, what, ', or an expression like "1000 * pow(2, retried)"'));
}

/** Where each `#` is an operand: a part that is an operand as a whole. */
const OPERAND =
  /(?<![#)])-+#|#[-+*/]-*#|(?:pow\(#,#|(?:min|max)\(#(?:,#)*|(?:sqrt|abs|exp|floor|ceil|round)?\(#)\)/g;

/**
 * Whether an engine can read an expression: numbers, `retried`, `+ - * /`, parentheses, and `pow`, `sqrt`, `abs`, `exp`,
 * `floor`, `ceil`, `round`, `min`, `max`. Each operand becomes a `#`, until one is left.
 */
export function isExpression(source: string): boolean {
  if (source.length > 1000 || source.includes("#")) return false;
  let rest = source
    .replace(/\d+(?:\.\d*)?|\.\d+|\bretried\b/g, "#")
    .replace(/\s*([-+*/(),])\s*/g, "$1")
    .trim();
  for (let before = ""; before !== rest; ) {
    before = rest;
    rest = rest.replace(OPERAND, "#");
  }
  return rest === "#";
}
