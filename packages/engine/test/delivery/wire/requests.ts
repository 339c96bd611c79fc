import { describe, expect, it } from "vitest";
import { request, useKit } from "./kit.ts";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** What goes out, to the byte. */
export function requests(): void {
  describe("a request", () => {
    const kit = useKit();

    it.each(["POST", "PUT", "PATCH", "DELETE", "GET"])(
      "carries its body byte for byte by",
      async (method) => {
        const server = await kit.serve();
        const pool = kit.pool();
        for (const body of [ALL_BYTES, ALL_BYTES.subarray(100, 120), "<ü> & 🦜", new Uint8Array()]) {
          await pool.send(request(server.url, { method, body }));
          const last = server.asked.at(-1);
          expect(last?.line).toBe(`${method} / HTTP/1.1`);
          expect(last?.body.toString("hex")).toBe(Buffer.from(body).toString("hex"));
        }
      },
    );

    it.each(["POST", "PUT", "PATCH", "DELETE", "GET"])(
      "has nothing in it that nobody gave it, by",
      async (method) => {
        const server = await kit.serve();
        const headers = { "user-agent": "Upstash-QStash", "x-one": "a, b", "upstash-message-id": "msg_1" };
        await kit.pool().send(request(server.url, { method, headers }));
        const [asked] = server.asked;
        const length = ["POST", "PUT", "PATCH"].includes(method) ? [["content-length", "0"]] : [];
        const sent = asked?.headers
          .map(([name, value]) => [name.toLowerCase(), value])
          .filter(([name]) => name !== "connection" && name !== "keep-alive")
          .sort();
        expect(sent).toEqual(
          [...length, ["host", `127.0.0.1:${server.port}`], ...Object.entries(headers)].sort(),
        );
        expect(asked?.body).toHaveLength(0);
      },
    );

    it("carries headers and a body of a size that servers just about take", async () => {
      const server = await kit.serve();
      const long = "x".repeat(15_000);
      const body = new Uint8Array(3_000_000).fill(7);
      await kit.pool().send(request(server.url, { headers: { "x-long": long, "x-latin": "caf\xe9" }, body }));
      const sent = new Map(server.asked[0]?.headers);
      expect(sent.get("x-long")).toBe(long);
      expect(sent.get("x-latin")).toBe("caf\xe9");
      expect(server.asked[0]?.body.equals(body)).toBe(true);
    });

    it("is for the host of its URL, whatever its headers say", async () => {
      const server = await kit.serve();
      await kit.pool().send(request(server.url, { headers: { host: "other.test" } }));
      const sent = server.asked[0]?.headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`);
      expect(sent).toContain(`host: 127.0.0.1:${server.port}`);
      expect(sent).not.toContain("host: other.test");
    });

    it("can't be split by what is in a header", async () => {
      const server = await kit.serve();
      const split = request(server.url, { headers: { "x-a": "1\r\nX-Evil: 1" } });
      await expect(kit.pool().send(split)).rejects.toThrow();
      expect(server.asked).toHaveLength(0);
    });

    it.each([
      ["/a/../b/./c//d", "/a/../b/./c//d"],
      [`/it's?q='"<{|}>^`, `/it's?q='"<{|}>^`],
      ["?q=https://b.test//x", "/?q=https://b.test//x"],
      ["", "/"],
      ["/part#of the page", "/part"],
      ["//x/%2F?a=%20", "//x/%2F?a=%20"],
      // What no request could carry as it is.
      ["/ž ", "/%C5%BE"],
    ])("asks byte for byte for", async (path, asked) => {
      const server = await kit.serve();
      await kit.pool().send(request(`${server.url}${path}`, { method: "GET" }));
      expect(server.asked[0]?.line).toBe(`GET ${asked} HTTP/1.1`);
    });

    it("follows no redirect, wherever it leads", async () => {
      for (const status of [301, 302, 303, 307, 308]) {
        const elsewhere = await kit.serve();
        const server = await kit.serve(
          () => `HTTP/1.1 ${status} Go\r\nLocation: ${elsewhere.url}\r\nContent-Length: 0\r\n\r\n`,
        );
        const reply = await kit.pool().send(request(server.url, { headers: { authorization: "secret" } }));
        expect(reply).toMatchObject({ status, headers: { location: [elsewhere.url] } });
        expect(elsewhere.asked).toHaveLength(0);
      }
    });
  });
}
