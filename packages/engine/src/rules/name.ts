import { invalid } from "./engine-error.ts";

const MAX_NAME_LENGTH = 256;
const PATTERN = /^(?!\.{1,2}$)[a-zA-Z0-9\-_.]+$/;

/** Refuses "." and "..": URLs drop such segments of a path, so no request could name the thing again. */
export function checkSegment(text: string, field: string): void {
  if (/^\.{1,2}$/.test(text)) throw invalid(field, `the path of a URL can't contain "${text}"`);
}

/** The schema of a name, in JSON Schema. */
export const NAME = { pattern: PATTERN.source, maxLength: MAX_NAME_LENGTH } as const;

/**
 * The name of a queue, a schedule or a flow control key. It may begin with any of its characters: some
 * generated names begin with `-` or `_`.
 *
 * @throws EngineError `invalid_request` that names the field
 */
export function toName(text: string, field: string): string {
  if (text.length > MAX_NAME_LENGTH) {
    throw invalid(field, `expected ${MAX_NAME_LENGTH} characters at most, got ${text.length}`);
  }
  checkSegment(text, field);
  if (PATTERN.test(text)) return text;
  throw invalid(field, `"${text}" must be of letters, digits, "-", "_" and "."`);
}
