import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { fetchTransport, type Transport } from "../../src/delivery/transport.ts";
import { defaultTransport } from "../../src/delivery/transport-node.ts";

const servers: Server[] = [];
const transports: Transport[] = [];

afterEach(async () => {
  for (const transport of transports.splice(0)) await transport.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each([
  ["the pool", (maxBytes: number) => defaultTransport(maxBytes)],
  ["fetch", (maxBytes: number) => fetchTransport(maxBytes)],
] as const)("%s", (_, create) => {
  const transportOf = (maxBytes: number): Transport => {
    const transport = create(maxBytes);
    transports.push(transport);
    return transport;
  };
  const request = (url: string, more: object = {}): Parameters<Transport["send"]>[0] => ({
    url,
    method: "POST",
    headers: {},
    body: undefined,
    signal: new AbortController().signal,
    ...more,
  });

  it("sends what it is given, and brings back all of the answer", async () => {
    const url = await serve((asked, answer) => {
      const parts: Buffer[] = [];
      asked.on("data", (part) => parts.push(part));
      asked.on("end", () => {
        answer.setHeader("Set-Cookie", ["a=1", "b=2"]);
        answer.writeHead(201, {
          "X-Method": asked.method,
          "X-Url": asked.url,
          "X-Sent": asked.headers["x-mine"],
        });
        answer.end(Buffer.concat(parts));
      });
    });
    const body = new Uint8Array([0, 1, 255]);
    const reply = await transportOf(100).send(
      request(`${url}//x/%2F?a=%20`, { method: "PUT", headers: { "x-mine": "1" }, body }),
    );
    expect(reply).toMatchObject({
      status: 201,
      headers: {
        "x-method": ["PUT"],
        "x-url": ["//x/%2F?a=%20"],
        "x-sent": ["1"],
        "set-cookie": ["a=1", "b=2"],
      },
    });
    expect([...reply.body]).toEqual([0, 1, 255]);
  });

  it("follows no redirect", async () => {
    const url = await serve((_request, answer) =>
      answer.writeHead(302, { Location: "http://127.0.0.1:1/" }).end(),
    );
    expect(await transportOf(100).send(request(url))).toMatchObject({ status: 302 });
  });

  it("reads an endless answer only up to its limit", async () => {
    const url = await serve((_request, answer) => {
      const write = (): void =>
        void (answer.destroyed || answer.write("x".repeat(50_000), () => setImmediate(write)));
      write();
    });
    const reply = await transportOf(1000).send(request(url));
    expect(reply.body).toHaveLength(1000);
  });

  it("says why there is no answer", async () => {
    const gone = await serve(() => {});
    servers[0]?.close();
    await expect(transportOf(100).send(request(gone))).rejects.toThrow();
    const cut = await serve((asked) => asked.socket.destroy());
    await expect(transportOf(100).send(request(cut))).rejects.toThrow();
  });

  it("stops when the answer is no longer wanted", async () => {
    const url = await serve(() => {});
    const abort = new AbortController();
    const sent = transportOf(100).send(request(url, { signal: abort.signal }));
    abort.abort();
    await expect(sent).rejects.toThrow();
  });
});

describe("the pool", () => {
  it.each([
    ["/a/../b/./c//d", "/a/../b/./c//d"],
    [`/it's?q='"<{|}>^`, `/it's?q='"<{|}>^`],
    ["?q=https://b.test//x", "/?q=https://b.test//x"],
    ["", "/"],
    ["/part#of the page", "/part"],
    // What no request could carry as it is.
    ["/ž ", "/%C5%BE"],
  ])("asks for %j byte for byte", async (path, asked) => {
    const url = await serve((request, answer) => answer.end(request.url));
    const pool = defaultTransport(1000);
    transports.push(pool);
    const reply = await pool.send({
      url: `${url}${path}`,
      method: "GET",
      headers: {},
      body: undefined,
      signal: new AbortController().signal,
    });
    expect(new TextDecoder().decode(reply.body)).toBe(asked);
  });
});
