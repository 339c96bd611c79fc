import { toMilliseconds } from "../util/duration.ts";

/**
 * The wait before a retry: seconds, a duration, or an expression over `retried`, the number of retries so far, whose value
 * is in milliseconds.
 *
 * @example
 * ```ts
 * const delays: RetryDelayOption[] = [5, "5s", "1000 * pow(2, retried)"];
 * ```
 */
export type RetryDelayOption = number | string;

/** Converts the option to an expression in milliseconds. @throws TypeError that names the option */
export function toRetryDelay(value: RetryDelayOption | undefined, option: string): string | undefined {
  // The official client omits the option by an empty string.
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string" && isExpression(value)) return value;
  return String(toMilliseconds(value, option, ', or an expression like "1000 * pow(2, retried)"'));
}

/** A part of an expression that is an operand itself; each `#` in it is an operand. */
const OPERAND =
  /(?<![#)])-+#|#[-+*/]-*#|(?:pow\(#,#|(?:min|max)\(#(?:,#)*|(?:sqrt|abs|exp|floor|ceil|round)?\(#)\)/g;

/**
 * True for an expression that engines can evaluate: numbers, `retried`, `+ - * /`, parentheses, and `pow`, `sqrt`, `abs`,
 * `exp`, `floor`, `ceil`, `round`, `min`, `max`. The function replaces each operand with a `#`, until one is left.
 *
 * @example
 * ```ts
 * isExpression("1000 * pow(2, retried)"); // true
 * isExpression("process.exit()"); // false
 * ```
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
