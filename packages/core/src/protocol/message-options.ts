import { type Duration, toWireDuration } from "../util/duration.ts";
import * as HEADER from "./header-names.ts";
import { type Message, type RunOptions, redactFields } from "./message.ts";
import {
  contentTypeOf,
  definedHeaders,
  flowControlHeaders,
  forwardedHeaders,
  ifDefined,
  joinLabels,
  retryHeaders,
  timeHeaders,
} from "./options.ts";

/** How the engine delivers a message that belongs to no run. */
export interface MessageOptions
  extends Pick<
    RunOptions,
    "retries" | "retryDelay" | "flowControl" | "delay" | "notBefore" | "label" | "redact"
  > {
  /** POST by default. */
  readonly method?: NonNullable<Message["method"]>;
  /** Sent with the message. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Time for one attempt: seconds or a duration. */
  readonly timeout?: number | Duration;
}

/**
 * The headers that tell an engine how to deliver a message. An engine of our own reads them to the millisecond.
 *
 * @throws TypeError that names an invalid option
 * @example
 * ```ts
 * messageHeaders({ retries: 5, delay: "10m", headers: { "X-Order": "7" } });
 * // { "Upstash-Retries": "5", "Upstash-Delay": "10m", "Upstash-Forward-X-Order": "7" }
 * ```
 */
export function messageHeaders(options: MessageOptions): Record<string, string> {
  return definedHeaders([
    [HEADER.method, options.method],
    ...retryHeaders(options.retries, options.retryDelay),
    ...flowControlHeaders(options.flowControl),
    ...timeHeaders(options, true),
    [HEADER.timeout, ifDefined(options.timeout, (value) => toWireDuration(value, "timeout", true))],
    [HEADER.label, joinLabels(options.label)],
    [HEADER.redactFields, redactFields(options.redact)],
    [HEADER.contentType, contentTypeOf(options.headers)],
    ...forwardedHeaders(options.headers),
  ]);
}
