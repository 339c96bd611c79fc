import * as zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { request, text, useKit } from "./kit.ts";

const JSON_TEXT = JSON.stringify({ items: [1, 2], word: "čaj" });
const BYTES = Buffer.from(JSON_TEXT);

/** Encodings that every runtime has, by the header's value. */
const ENCODINGS: readonly (readonly [string, Buffer])[] = [
  ["gzip", zlib.gzipSync(BYTES)],
  ["x-gzip", zlib.gzipSync(BYTES)],
  ["GZip", zlib.gzipSync(BYTES)],
  ["br", zlib.brotliCompressSync(BYTES)],
  ["deflate", zlib.deflateSync(BYTES)],
  ["deflate", zlib.deflateRawSync(BYTES)],
  ["gzip, br", zlib.brotliCompressSync(zlib.gzipSync(BYTES))],
  ["identity, gzip", zlib.gzipSync(BYTES)],
];

function answer(encoding: string, body: Uint8Array, status = "200 OK"): string {
  const head = [
    `HTTP/1.1 ${status}`,
    `Content-Encoding: ${encoding}`,
    `Content-Length: ${body.length}`,
    "X-A: 1",
  ];
  return `${head.join("\r\n")}\r\n\r\n${Buffer.from(body).toString("latin1")}`;
}

/** Answers whose bodies are compressed. */
export function encodings(): void {
  const kit = useKit();
  const send = async (said: string, maxBytes = 1000) => {
    const server = await kit.serve(() => said);
    return kit.pool({ maxBytes }).send(request(server.url));
  };

  describe("an answer's body", () => {
    it.each(ENCODINGS)("is decoded from %s", async (encoding, body) => {
      const reply = await send(answer(encoding, body));
      expect(text(reply.body)).toBe(JSON_TEXT);
      expect(reply).toMatchObject({ status: 200, headers: { "x-a": ["1"] }, cut: false });
      // They describe the body as it came.
      expect(reply.headers).not.toHaveProperty("content-encoding");
      expect(reply.headers).not.toHaveProperty("content-length");
    });

    it("is decoded from an error, too", async () => {
      const reply = await send(answer("gzip", zlib.gzipSync(BYTES), "502 Bad Gateway"));
      expect([reply.status, text(reply.body)]).toEqual([502, JSON_TEXT]);
    });

    it("is decoded from zstd where the runtime can", async () => {
      if (!("zstdCompressSync" in zlib)) return;
      expect(text((await send(answer("zstd", zlib.zstdCompressSync(BYTES)))).body)).toBe(JSON_TEXT);
    });

    it("is cut by its decoded size", async () => {
      const bomb = zlib.gzipSync(Buffer.alloc(20_000_000, "x"));
      const reply = await send(answer("gzip", bomb), 100_000);
      expect([reply.cut, reply.body.length]).toEqual([true, 100_000]);
      const nested = await send(answer("gzip, gzip", zlib.gzipSync(bomb)), 100_000);
      expect([nested.cut, nested.body.length]).toEqual([true, 100_000]);
    });

    it.each([
      ["an encoding that isn't known", "pack200", BYTES],
      ["the name of a property", "constructor", BYTES],
      ["another encoding than it says", "gzip", BYTES],
      ["an encoding whose end is missing", "gzip", zlib.gzipSync(BYTES).subarray(0, 30)],
      ["too many encodings", "gzip,gzip,gzip,gzip,gzip", BYTES],
    ])("with %s stays as it came", async (_, encoding, body) => {
      const reply = await send(answer(encoding, body));
      expect(reply).toMatchObject({ status: 200, headers: { "content-encoding": [encoding] } });
      expect(Buffer.from(reply.body).equals(body)).toBe(true);
    });

    it("may be empty, whatever its encoding", async () => {
      expect((await send(answer("gzip", Buffer.alloc(0)))).body).toHaveLength(0);
    });
  });
}
