import type { NewMessage } from "./message.ts";
import type { OptionLimits, Options } from "./options.ts";

/** The key by which the engine recognises a repeated message, and until when. */
export interface Deduplication {
  readonly key: string;
  /** Bytes that must also be equal. */
  readonly content: Uint8Array | undefined;
  /** Milliseconds since 1970. */
  readonly until: number;
}

const WINDOW = 10 * 60_000;

/**
 * Returns the deduplication of a message. An id from the publisher counts for all destinations. Each endpoint
 * of a URL group has a key of its own: otherwise one message would stand for the messages to all of them.
 */
export function deduplicationOf(
  message: NewMessage,
  { deduplication }: Options,
  body: Uint8Array,
  limits: OptionLimits,
): Deduplication | undefined {
  if (deduplication === undefined) return undefined;
  const { urlGroup } = message;
  const endpoint = urlGroup ? [urlGroup.name, urlGroup.endpoint ?? null, message.url] : [];
  const until = message.createdAt + (limits.deduplication ?? WINDOW);
  if (deduplication === "content") {
    return { key: JSON.stringify(["content", ...contentOf(message), ...endpoint]), content: body, until };
  }
  return { key: JSON.stringify(["id", deduplication.id, ...endpoint]), content: undefined, until };
}

/** The destination and the headers for it, as one string. */
function contentOf({ url, urlGroup, contentType, forward }: NewMessage): unknown[] {
  const headers = [...forward].sort(([one], [other]) => (one < other ? -1 : 1));
  return [urlGroup?.name ?? url, contentType ?? null, headers];
}
