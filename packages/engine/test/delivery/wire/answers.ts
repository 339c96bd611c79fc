import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { rejection, request, text, until, useKit } from "./kit.ts";
import { OK } from "./server.ts";

const head = (status: string, ...headers: string[]): string =>
  [`HTTP/1.1 ${status}`, ...headers, "", ""].join("\r\n");

/** Answers, and the status, body and headers that are read from them. */
const ANSWERS: readonly (readonly [string, string, number, string, Record<string, string[]>])[] = [
  ["by its length", OK, 200, "ok", { "content-length": ["2"] }],
  [
    "in chunks",
    `${head("200 OK", "Transfer-Encoding: chunked")}2\r\nok\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n`,
    200,
    "okabc",
    {},
  ],
  ["after a 100 that nobody asked for", head("100 Continue") + OK, 200, "ok", {}],
  ["after a 102", head("102 Processing") + head("102 Processing") + OK, 200, "ok", {}],
  ["after early hints", head("103 Early Hints", "Link: </a>") + OK, 200, "ok", { "content-length": ["2"] }],
  ["without content", head("204 No Content"), 204, "", {}],
  [
    "not modified, with the length of what wasn't",
    head("304 Not Modified", "Content-Length: 9"),
    304,
    "",
    {},
  ],
  [
    "with a header twice",
    head("200 OK", "X-A: 1", "x-a: 2", "Content-Length: 0"),
    200,
    "",
    { "x-a": ["1", "2"] },
  ],
  [
    "with cookies",
    head("200 OK", "Set-Cookie: a=1, b", "Set-Cookie: b=2", "Content-Length: 0"),
    200,
    "",
    { "set-cookie": ["a=1, b", "b=2"] },
  ],
  [
    "with much to say of itself",
    head("200 OK", `X-A: ${"x".repeat(50_000)}`, "Content-Length: 0"),
    200,
    "",
    { "x-a": ["x".repeat(50_000)] },
  ],
  ["with a status of its own", head("799 Hm", "Content-Length: 0"), 799, "", {}],
  [
    "with bytes that are no ASCII",
    head("200 OK", "X-A: caf\xe9", "Content-Length: 0"),
    200,
    "",
    { "x-a": ["caf\xe9"] },
  ],
  [
    "compressed, as it is",
    `${head("200 OK", "Content-Encoding: gzip", "Content-Length: 2")}ok`,
    200,
    "ok",
    { "content-encoding": ["gzip"] },
  ],
  [
    "failed",
    `${head("503 Busy", "Retry-After: 7", "Content-Length: 4")}busy`,
    503,
    "busy",
    { "retry-after": ["7"] },
  ],
];

/** Answers that are none. `|` is where the server closes. */
const NO_ANSWERS: readonly (readonly [string, string])[] = [
  ["nothing", "|"],
  ["half a head", "HTTP/1.1 200 OK\r\nContent-|"],
  ["less than was announced", `${head("200 OK", "Content-Length: 20")}ok|`],
  ["chunks without an end", `${head("200 OK", "Transfer-Encoding: chunked")}2\r\nok\r\n|`],
  ["another protocol", "220 mail.test ESMTP\r\n"],
  ["a protocol that nobody asked for", head("101 Switching Protocols", "Upgrade: x", "Connection: upgrade")],
  ["a status that is none", head("99 Hm", "Content-Length: 0")],
  ["a head without end", `HTTP/1.1 200 OK\r\nX-A: ${"x".repeat(100_000)}\r\n\r\n`],
  ["two lengths", `${head("200 OK", "Content-Length: 2", "Content-Length: 3")}ok!`],
  ["a length and chunks", `${head("200 OK", "Content-Length: 2", "Transfer-Encoding: chunked")}0\r\n\r\n`],
];

/** What comes back, and what doesn't. */
export function answers(): void {
  describe("an answer", () => {
    const kit = useKit();

    it.each(ANSWERS)("is read", async (_, wire, status, body, headers) => {
      const server = await kit.serve(() => wire);
      const pool = kit.pool();
      for (let time = 0; time < 2; time++) {
        const reply = await pool.send(request(server.url, { body: "x" }));
        expect(reply).toMatchObject({ status, headers, cut: false });
        expect(text(reply.body)).toBe(body);
      }
    });

    it("ends with its connection, where it doesn't say how long it is", async () => {
      const server = await kit.serve(({ socket }) => void socket.end("HTTP/1.0 200 OK\r\n\r\nto the end"));
      expect(text((await kit.pool().send(request(server.url))).body)).toBe("to the end");
    });

    it.each(NO_ANSWERS)("isn't taken for one", async (_, wire) => {
      let well = false;
      const server = await kit.serve(({ socket }) => {
        if (well) return OK;
        const [said = "", end] = wire.split("|");
        socket.write(said, "latin1", () => end !== undefined && socket.end());
        return undefined;
      });
      const pool = kit.pool();
      expect((await rejection(pool.send(request(server.url, { body: "x" })))).message).not.toBe("");
      expect(server.asked).toHaveLength(1);
      // Whatever came, it does no harm to the next.
      well = true;
      expect(await pool.send(request(server.url))).toMatchObject({ status: 200 });
    });

    it("isn't one when the connection is reset, before it or within it", async () => {
      for (const said of ["", `${head("200 OK", "Content-Length: 9")}half`]) {
        const server = await kit.serve(
          ({ socket }) => void socket.write(said, () => socket.resetAndDestroy()),
        );
        await rejection(kit.pool().send(request(server.url, { body: "x" })));
        expect(server.asked).toHaveLength(1);
      }
    });

    it("isn't the next one's, whatever else a server says", async () => {
      let asked = 0;
      const server = await kit.serve(() => `${OK}${asked++ === 0 ? OK.replace("ok", "no") : ""}`);
      const pool = kit.pool();
      for (let time = 0; time < 3; time++)
        expect(text((await pool.send(request(server.url))).body)).toBe("ok");
    });

    it("is read up to the limit, and the rest is left", async () => {
      const endless = await kit.serve(({ socket }) => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        const write = (): void =>
          void (socket.destroyed || socket.write("x".repeat(50_000), () => setImmediate(write)));
        write();
        return undefined;
      });
      const pool = kit.pool();
      expect(await pool.send(request(endless.url))).toMatchObject({
        status: 200,
        cut: true,
        body: { length: 1000 },
      });
      expect(await pool.send(request(endless.url, { maxBytes: 7 }))).toMatchObject({ body: { length: 7 } });
      await until(() => endless.open.size === 0);
      const exact = await kit.serve(() => `${head("200 OK", "Content-Length: 1000")}${"x".repeat(1000)}`);
      expect(await pool.send(request(exact.url))).toMatchObject({ cut: false, body: { length: 1000 } });
    });

    it("may come before the request is through", async () => {
      const refusal = `${head("413 Too Large", "Connection: close", "Content-Length: 3")}big`;
      const server = createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => socket.pause().end(refusal));
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const reply = await kit.pool().send(request(url, { body: new Uint8Array(20_000_000) }));
      expect(reply).toMatchObject({ status: 413 });
      expect(text(reply.body)).toBe("big");
      server.close();
    });
  });

  describe("an answer that is no longer wanted", () => {
    const kit = useKit();

    it.each([
      ["before the name is known", undefined],
      ["before its head", ""],
      ["within its head", "HTTP/1.1 200 OK\r\nContent-"],
      ["within its body", `${head("200 OK", "Content-Length: 9")}half`],
    ])("isn't waited for", async (_, said) => {
      const server = await kit.serve(() => said);
      const pool = kit.pool(said === undefined ? { lookup: () => {} } : {});
      const abort = new AbortController();
      const url = said === undefined ? "http://nobody.test/" : server.url;
      const sent = rejection(pool.send(request(url, { signal: abort.signal })));
      if (said !== undefined) await until(() => server.asked.length === 1);
      await new Promise((resolve) => setTimeout(resolve, 10));
      abort.abort();
      await sent;
      await until(() => server.open.size === 0);
    });

    it("isn't asked for", async () => {
      const server = await kit.serve();
      await rejection(kit.pool().send(request(server.url, { signal: AbortSignal.abort() })));
      expect(server.asked).toHaveLength(0);
    });
  });
}
