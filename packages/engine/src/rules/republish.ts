import { newMessageId } from "@perdure/core/protocol";
import { overlay } from "./delivery-policy.ts";
import { overrideHeaders } from "./header.ts";
import type { Callback, Message, NewMessage } from "./message.ts";
import type { Options } from "./options.ts";

/** Copies a message, with the changes of the request. */
export function republish(message: Message, options: Options, now: number): NewMessage {
  return {
    ...message,
    id: newMessageId(),
    method: options.method ?? message.method,
    forward: overrideHeaders(message.forward, options.forward),
    // The request's content type doesn't count: the body comes from the message.
    ...overlay({ ...message, retries: message.maxRetries }, options),
    notBefore: options.notBefore ?? now + (options.delay ?? 0),
    createdAt: now,
    callback: overrideCallback(message.callback, options.callbackUrl, options.callback),
    failureCallback: overrideCallback(message.failureCallback, options.failureUrl, options.failure),
    queue: options.queue ?? message.queue,
  };
}

function overrideCallback(
  old: Callback | undefined,
  url: string | undefined,
  options: Options | undefined,
): Callback | undefined {
  // Options without a URL change an existing report; without a report they have no effect.
  if (url === undefined) return old && { ...old, options: overrideOptions(old.options, options) };
  return { url, options: overrideOptions(old?.options, options) };
}

/** Overrides earlier options with the ones that are set now. */
export function overrideOptions(old: Options | undefined, next: Options | undefined): Options | undefined {
  if (!old || !next) return next ?? old;
  const said = Object.entries(next).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return { ...old, ...Object.fromEntries(said), forward: overrideHeaders(old.forward, next.forward) };
}
