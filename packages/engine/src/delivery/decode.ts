import { Readable, type Transform } from "node:stream";
import * as zlib from "node:zlib";
import type { Reply } from "../rules/message.ts";
import { readUpTo } from "./transport.ts";

/** Maximum number of encodings of one answer: more of them are an attack or a mistake. */
const MOST_ENCODINGS = 4;

/** Decoders by the names of RFC 9110, section 8.4.1, and RFC 8878. */
const DECODERS: Readonly<Record<string, (encoded: Uint8Array) => Transform | undefined>> = {
  gzip: () => zlib.createGunzip(),
  "x-gzip": () => zlib.createGunzip(),
  br: () => zlib.createBrotliDecompress(),
  // Some servers omit the zlib header.
  deflate: ([first = 0]) => ((first & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw()),
  // Older runtime versions lack zstd.
  zstd: () => ("createZstdDecompress" in zlib ? zlib.createZstdDecompress() : undefined),
};

/**
 * Undoes the `Content-Encoding` of an answer, and removes the headers that describe the encoded body. Returns
 * an answer that it can't decode unchanged.
 *
 * @param maxBytes maximum length of the decoded body; the rest is cut off
 */
export async function decodeReply(reply: Reply, maxBytes: number): Promise<Reply> {
  const { "content-encoding": encoding, "content-length": _, ...headers } = reply.headers;
  const names = (encoding ?? [])
    .flatMap((value) => value.toLowerCase().split(","))
    .map((name) => name.trim())
    .filter((name) => name !== "" && name !== "identity");
  if (names.length === 0 || names.length > MOST_ENCODINGS || reply.body.length === 0) return reply;
  let decoded: Pick<Reply, "body" | "cut"> = reply;
  for (const name of names.toReversed()) {
    const next = await decodeBody(name, decoded, maxBytes);
    if (!next) return reply;
    decoded = next;
  }
  return { status: reply.status, headers, ...decoded };
}

/** @returns `undefined` when the body doesn't have this encoding */
async function decodeBody(
  name: string,
  { body, cut }: Pick<Reply, "body" | "cut">,
  maxBytes: number,
): Promise<Pick<Reply, "body" | "cut"> | undefined> {
  const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name]?.(body) : undefined;
  if (!decoder) return undefined;
  try {
    // The body is read in parts, so that nothing beyond the limit is decoded.
    const decoded = await readUpTo(Readable.from([body]).pipe(decoder), maxBytes);
    return { body: decoded.body, cut: decoded.cut || cut };
  } catch {
    return undefined;
  } finally {
    decoder.destroy();
  }
}
