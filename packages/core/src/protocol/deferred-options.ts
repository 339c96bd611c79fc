import { escapeCharacter } from "../util/console.ts";
import { messageOf } from "../util/errors.ts";
import * as HEADER from "./header-names.ts";
import { checkRunOptions, type RunOptions } from "./message.ts";
import { malformed, parseJson } from "./parse.ts";

const DEFERRED_OPTIONS = [
  "retries",
  "retryDelay",
  "failureRetries",
  "failureRetryDelay",
  "timeout",
  "flowControl",
  "label",
  "failureUrl",
] as const;

/** Options for a run that somebody else's request will start. */
export type DeferredRunOptions = Pick<RunOptions, (typeof DEFERRED_OPTIONS)[number]>;

/** Those of the options that are such. */
export function pickDeferredOptions(options: DeferredRunOptions): DeferredRunOptions {
  const given = DEFERRED_OPTIONS.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

/** As one header; undefined when there are none. */
export function encodeRunOptions(options: DeferredRunOptions): string | undefined {
  const json = JSON.stringify(pickDeferredOptions(options));
  // A header's value is ASCII; in JSON, whatever isn't can be written so that it is.
  return json === "{}" ? undefined : json.replace(/[^\x20-\x7e]/g, escapeCharacter);
}

/** @throws WorkflowError `malformed_body` when the header isn't what {@link encodeRunOptions} makes */
export function decodeRunOptions(header: string | null): DeferredRunOptions {
  if (header === null) return {};
  const what = `The header ${HEADER.runOptions}`;
  const options = pickDeferredOptions(Object(parseJson(what, header)));
  try {
    // Whoever sends the header is told of what can't be obeyed, and not the endpoint.
    checkRunOptions(options);
  } catch (cause) {
    throw malformed(what, `can't be obeyed (${messageOf(cause)})`, header, cause);
  }
  return options;
}
