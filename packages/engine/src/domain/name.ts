import { invalid } from "./problem.ts";

const NAME = /^[a-zA-Z0-9\-_.]+$/;
const LONGEST = 256;

/**
 * The name of a queue, a schedule or a flow control key. Anything may begin it: generated ones begin with `-` or `_` at
 * times.
 *
 * @throws Problem 400 that names the field
 */
export function toName(text: string, field: string): string {
  if (text.length > LONGEST) {
    throw invalid(field, `expected ${LONGEST} characters at most, got ${text.length}`);
  }
  if (NAME.test(text)) return text;
  throw invalid(field, `"${text}" must be of letters, digits, "-", "_" and "."`);
}
