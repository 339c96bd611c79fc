import { HEADER, PREFIX } from "@perdure/core/protocol";
import { PARAMETERS } from "./filters.ts";

/** The options whose names differ from their headers' names in camel case. */
const NAMES = new Map(
  Object.entries({
    [HEADER.queueName]: "queue",
    [HEADER.redactFields]: "redact",
    [HEADER.flowControlKey]: "flowControl.key",
    [HEADER.flowControlValue]: "flowControl",
    [HEADER.runId]: "workflowRunId",
    [HEADER.runTimeout]: "timeout",
  }),
);

/** Prefixes of headers, with the option that contains their options. The longest prefix comes first. */
const GROUPS = [
  [PREFIX.failureCallback, "failureCallback."],
  [PREFIX.callback, "callback."],
] as const;

/**
 * Converts the name of a header or of a parameter to the name of its option.
 *
 * @example
 * toOptionName("Upstash-Callback-Retry-Delay"); // "callback.retryDelay"
 * toOptionName("parameter topicName"); // "urlGroup"
 */
export function toOptionName(field: string): string {
  const parameter = field.replace(/^parameter /, "");
  if (parameter !== field || !field.startsWith(PREFIX.own)) {
    return NAMES.get(field) ?? PARAMETERS.get(parameter) ?? parameter;
  }
  const known = NAMES.get(field);
  if (known) return known;
  if (field.startsWith(PREFIX.forward)) return `headers.${field.slice(PREFIX.forward.length)}`;
  for (const [prefix, group] of GROUPS) {
    if (field.startsWith(prefix)) return group + toOptionName(PREFIX.own + field.slice(prefix.length));
  }
  return field
    .slice(PREFIX.own.length)
    .split("-")
    .map((word, at) => (at === 0 ? word.toLowerCase() : word))
    .join("");
}
