import {
  changedOptionHeaders,
  type MessageOptions,
  messageHeaders,
  type RunOptions,
} from "@perdure/core/protocol";
import { checkOptions } from "../rules/check-options.ts";

/** The options that change when a failed run continues. The run keeps its other options. */
export type ResumeOptions = Omit<RunOptions, "headers">;

/** The options that change when a failed message is published again. The message keeps its other options. */
export type RetryOptions = Omit<MessageOptions, "headers" | "method">;

const OF_ALL = "retries retryDelay flowControl delay notBefore timeout label redact";
const OF_RUNS = "failureRetries failureRetryDelay failureUrl";

/**
 * Converts options to headers, with names in lower case.
 *
 * @throws TypeError that names an unknown or invalid option
 */
export function resumeHeaders(owner: string, options: ResumeOptions): ReadonlyMap<string, string> {
  checkOptions<ResumeOptions, `${typeof OF_ALL} ${typeof OF_RUNS}`>(owner, options, `${OF_ALL} ${OF_RUNS}`);
  return lowerCase(changedOptionHeaders(options));
}

/**
 * Converts options to headers, with names in lower case.
 *
 * @throws TypeError that names an unknown or invalid option
 */
export function retryHeaders(owner: string, options: RetryOptions): ReadonlyMap<string, string> {
  checkOptions<RetryOptions, typeof OF_ALL>(owner, options, OF_ALL);
  return lowerCase(messageHeaders(options));
}

/** Headers by name in lower case, for routes. */
export function lowerCase(headers: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
