import { Readable, type Transform } from "node:stream";
import * as zlib from "node:zlib";
import type { Reply } from "../rules/message.ts";
import { readUpTo } from "./transport.ts";

/** Several encodings of one answer: more than that is an attack, or a mistake. */
const MOST_ENCODINGS = 4;

/** Decoders by the names of RFC 9110, section 8.4.1, and RFC 8878. */
const DECODERS: Readonly<Record<string, (encoded: Uint8Array) => Transform | undefined>> = {
  gzip: () => zlib.createGunzip(),
  "x-gzip": () => zlib.createGunzip(),
  br: () => zlib.createBrotliDecompress(),
  // Some servers leave out the header of zlib.
  deflate: ([first = 0]) => ((first & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw()),
  // Older versions of a runtime don't have it.
  zstd: () => ("createZstdDecompress" in zlib ? zlib.createZstdDecompress() : undefined),
};

/**
 * The answer with its `Content-Encoding` undone, and without the headers that describe the encoded body. An answer that
 * can't be decoded stays as it came.
 *
 * @param maxBytes the decoded body is cut there
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

/** @returns undefined for a body that isn't encoded like that */
async function decodeBody(
  name: string,
  { body, cut }: Pick<Reply, "body" | "cut">,
  maxBytes: number,
): Promise<Pick<Reply, "body" | "cut"> | undefined> {
  const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name]?.(body) : undefined;
  if (!decoder) return undefined;
  try {
    // Read in parts: what is beyond the limit is never decoded.
    const decoded = await readUpTo(Readable.from([body]).pipe(decoder), maxBytes);
    return { body: decoded.body, cut: decoded.cut || cut };
  } catch {
    return undefined;
  } finally {
    decoder.destroy();
  }
}
