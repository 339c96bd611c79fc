import { readFailure } from "@perdure/core/protocol";
import { toText } from "./bytes.ts";
import { failedStepIn } from "./header.ts";
import type { Failure } from "./message.ts";

/** The properties that the dead letters of one group share. */
export interface ErrorGroup {
  /** Identifies the group: 16 hexadecimal digits. */
  readonly fingerprint: string;
  readonly errorName: string;
  /** The error's text, with a placeholder for each of its values. */
  readonly pattern: string;
  /** The step that failed, where the endpoint has named it. */
  readonly step: string | undefined;
}

const MAX_PATTERN = 300;

/** Values in the texts of errors, the longest kinds first. */
const VALUES = [
  /\bhttps?:\/\/\S+/g,
  /[\w.+-]+@[\w-]+\.[\w.]+/g,
  /"[^"]*"|'[^']*'|`[^`]*`/g,
  /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi,
  /\b(?=\w*\d)\w*[_-][\w-]*\b/g,
  /\b0x[0-9a-f]+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi,
  /\d+(?:[.,:]\d+)*/g,
];

/** The error's text of a failure: the endpoint's answer, or the engine's own error. */
export function failureText({ reply, byEngine, error }: Failure): string {
  return reply && !byEngine ? toText(reply.body) : error;
}

/** Finds the group of a failure: by the error's name and text without its values, the step, and the URL. */
export function groupOf(failure: Failure, url: string): ErrorGroup {
  const { reply } = failure;
  const { name, message, step } = readFailure(failureText(failure), reply?.status ?? 0);
  const pattern = patternOf(message);
  const failed = step?.name ?? (reply && failedStepIn(reply.headers));
  const parts = [name, pattern, failed ?? "", url];
  return {
    fingerprint: hash64(JSON.stringify(parts)),
    errorName: name,
    pattern,
    step: failed,
  };
}

/** Replaces the values in an error's text by `#`. */
export function patternOf(message: string): string {
  const short = message
    .slice(0, 2 * MAX_PATTERN)
    .replace(/\s+/g, " ")
    .trim();
  return VALUES.reduce((text, value) => text.replace(value, "#"), short).slice(0, MAX_PATTERN);
}

/** The FNV-1a hash of a string, as 16 hexadecimal digits. */
export function hash64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}
