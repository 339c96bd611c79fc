import { tooLarge } from "../http/body.ts";
import { toBytes } from "../rules/bytes.ts";

/** A body as bytes. */
export interface Content {
  readonly bytes: Uint8Array;
  /** The media type of a body that is neither a string nor bytes. */
  readonly type: string | undefined;
}

/** Types of bodies that `JSON.stringify` turns into `{}`. */
const UNREAD = [Blob, FormData, Promise, ReadableStream, URLSearchParams];

/**
 * Converts a body to bytes: strings and bytes unchanged, everything else as JSON.
 *
 * @throws TypeError for a value that JSON can't carry
 * @throws EngineError `too_large`, like an HTTP request of that size
 */
export function toContent(body: unknown, limits: { readonly requestBytes: number }): Content {
  const content = read(body);
  if (content.bytes.length > limits.requestBytes) throw tooLarge(limits.requestBytes);
  return content;
}

function read(body: unknown): Content {
  if (body === undefined) return { bytes: new Uint8Array(), type: undefined };
  if (typeof body === "string") return { bytes: toBytes(body), type: undefined };
  if (body instanceof ArrayBuffer) return { bytes: new Uint8Array(body), type: undefined };
  if (ArrayBuffer.isView(body)) {
    return { bytes: new Uint8Array(body.buffer, body.byteOffset, body.byteLength), type: undefined };
  }
  const unread = UNREAD.find((one) => body instanceof one);
  const json: unknown = unread ? undefined : JSON.stringify(body);
  if (typeof json === "string") return { bytes: toBytes(json), type: "application/json" };
  throw new TypeError(
    `A body must be a string, bytes, or a value that JSON can carry; got a ${unread?.name ?? typeof body}.`,
  );
}
