import {
  changedOptionHeaders,
  type MessageOptions,
  messageHeaders,
  mustBe,
  type RunOptions,
} from "@perdure/core/protocol";
import { checkOptions, isObject, mustBeKind } from "../rules/check-options.ts";

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
  checkRedact(options.redact);
  return lowerCase(changedOptionHeaders(options));
}

/**
 * Converts options to headers, with names in lower case.
 *
 * @throws TypeError that names an unknown or invalid option
 */
export function retryHeaders(owner: string, options: RetryOptions): ReadonlyMap<string, string> {
  checkOptions<RetryOptions, typeof OF_ALL>(owner, options, OF_ALL);
  checkRedact(options.redact);
  return lowerCase(messageHeaders(options));
}

/** @throws TypeError that names the option */
export function checkRedact(redact: unknown): void {
  if (redact === undefined) return;
  if (!isObject(redact)) throw mustBeKind("redact", "an object", redact);
  const { body, header = [] } = redact as { readonly body?: unknown; readonly header?: unknown };
  if (body !== undefined && typeof body !== "boolean") throw mustBe("redact.body", "true or false", body);
  const isList = Array.isArray(header) && header.every((name) => typeof name === "string");
  if (header !== true && !isList) throw mustBe("redact.header", "true, or a list of names", header);
}

/** Headers by name in lower case, for routes. */
export function lowerCase(headers: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
