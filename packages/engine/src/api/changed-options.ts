import {
  changedOptionHeaders,
  checkOptions,
  type MessageOptions,
  messageHeaders,
  type RunOptions,
} from "@perdure/core/protocol";

/** The options that change when a failed run goes on; the others stay as they were. */
export type ResumeOptions = Omit<RunOptions, "headers">;

/** The options that change when a failed message is published again; the others stay as they were. */
export type RetryOptions = Omit<MessageOptions, "headers" | "method">;

const OF_ALL = "retries retryDelay flowControl delay notBefore timeout label redact";
const OF_RUNS = "failureRetries failureRetryDelay failureUrl";

/** As headers, with names in lower case. @throws TypeError that names an unknown or invalid option */
export function resumeHeaders(owner: string, options: ResumeOptions): ReadonlyMap<string, string> {
  checkOptions<ResumeOptions, `${typeof OF_ALL} ${typeof OF_RUNS}`>(owner, options, `${OF_ALL} ${OF_RUNS}`);
  return lowerCase(changedOptionHeaders(options));
}

/** As headers, with names in lower case. @throws TypeError that names an unknown or invalid option */
export function retryHeaders(owner: string, options: RetryOptions): ReadonlyMap<string, string> {
  checkOptions<RetryOptions, typeof OF_ALL>(owner, options, OF_ALL);
  return lowerCase(messageHeaders(options));
}

/** Headers by their names in lower case, as routes read them. */
export function lowerCase(headers: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
