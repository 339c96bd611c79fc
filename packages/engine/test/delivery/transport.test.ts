import { describe, expect, it } from "vitest";
import { fetchTransport } from "../../src/delivery/transport.ts";
import { wire } from "./wire/index.ts";
import { rejection, request, text, useKit } from "./wire/kit.ts";

wire();

describe("the transport by fetch", () => {
  const kit = useKit();
  const transport = fetchTransport(1000);

  it("sends what it is given, and brings back all of the answer", async () => {
    const server = await kit.serve(
      () => "HTTP/1.1 201 Made\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok",
    );
    const body = new Uint8Array([0, 1, 255]);
    const reply = await transport.send(
      request(`${server.url}//x/%2F?a=%20`, { method: "PUT", headers: { "x-mine": "1" }, body }),
    );
    expect(reply).toMatchObject({ status: 201, headers: { "set-cookie": ["a=1", "b=2"] }, cut: false });
    expect(text(reply.body)).toBe("ok");
    const [asked] = server.asked;
    expect(asked?.line).toBe("PUT //x/%2F?a=%20 HTTP/1.1");
    expect(new Map(asked?.headers).get("x-mine")).toBe("1");
    expect([...(asked?.body ?? [])]).toEqual([0, 1, 255]);
  });

  it("has no body where its method has none", async () => {
    const server = await kit.serve();
    await transport.send(request(server.url, { method: "GET", body: "x" }));
    expect(server.asked[0]?.body).toHaveLength(0);
  });

  it("follows no redirect", async () => {
    const server = await kit.serve(
      () => "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    );
    expect(await transport.send(request(server.url))).toMatchObject({ status: 302 });
  });

  it("reads an answer only up to its limit", async () => {
    const server = await kit.serve(
      () => `HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n${"x".repeat(5000)}`,
    );
    expect(await transport.send(request(server.url))).toMatchObject({ cut: true, body: { length: 1000 } });
  });

  it("says why there is no answer, and stops when it is no longer wanted", async () => {
    const server = await kit.serve(({ socket }) => void socket.destroy());
    await rejection(transport.send(request(server.url)));
    const silent = await kit.serve(() => undefined);
    const abort = new AbortController();
    const sent = rejection(transport.send(request(silent.url, { signal: abort.signal })));
    abort.abort();
    await sent;
  });
});
