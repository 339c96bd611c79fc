import { escapeCharacter } from "../util/console.ts";
import { messageOf } from "../util/errors.ts";
import * as HEADER from "./header-names.ts";
import { checkRunOptions, type RunOptions } from "./message.ts";
import { malformed, parseJson } from "./parse.ts";

type DeferredOption =
  | "retries"
  | "retryDelay"
  | "flowControl"
  | "timeout"
  | "label"
  | "failureRetries"
  | "failureRetryDelay"
  | "failureUrl";

const DEFERRED_OPTIONS =
  "retries retryDelay flowControl timeout label failureRetries failureRetryDelay failureUrl".split(
    " ",
  ) as DeferredOption[];

/** Options for a run that another client's request will start. */
export type DeferredRunOptions = Pick<RunOptions, DeferredOption>;

/** Picks the options that may be deferred to a later run. */
export function pickDeferredOptions(options: DeferredRunOptions): DeferredRunOptions {
  const given = DEFERRED_OPTIONS.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

/** Encodes the options as the value of `HEADER.runOptions`; undefined when there are none. */
export function encodeRunOptions(options: DeferredRunOptions): string | undefined {
  const json = JSON.stringify(pickDeferredOptions(options));
  // A header's value is ASCII, and JSON can escape all other characters.
  return json === "{}" ? undefined : json.replace(/[^\x20-\x7e]/g, escapeCharacter);
}

/** Decodes the header that {@link encodeRunOptions} encodes. @throws WorkflowError `malformed_body` for another value */
export function decodeRunOptions(header: string | null): DeferredRunOptions {
  if (header === null) return {};
  const subject = `The header ${HEADER.runOptions}`;
  const options = pickDeferredOptions(Object(parseJson(subject, header)));
  try {
    // The error goes to the sender of the header.
    checkRunOptions(options);
  } catch (cause) {
    throw malformed(subject, `has an invalid option (${messageOf(cause)})`, header, cause);
  }
  return options;
}
