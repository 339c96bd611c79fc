import { createHash } from "node:crypto";
import { createServer, type RequestListener, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { serve, toNode } from "../src/node.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function listen(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a workflow as a listener of node:http", () => {
  it("hands over method, URL, headers and exact bytes, and the answer back", async () => {
    const seen: unknown[] = [];
    const url = await listen(
      toNode(async (incoming) => {
        seen.push(incoming.method, incoming.url, incoming.headers.get("X-A"));
        const bytes = new Uint8Array(await incoming.arrayBuffer());
        return new Response(createHash("sha256").update(bytes).digest("hex"), {
          status: 201,
          headers: { "X-B": "b" },
        });
      }),
    );
    const body = Buffer.from(`{ "a":1.0, "é":"\\u00e9", "x": "${"y".repeat(1_000_000)}" }`);
    const response = await fetch(`${url}/a//b?c=%20d`, { method: "POST", headers: { "X-A": "1" }, body });
    expect(response.status).toBe(201);
    expect(response.headers.get("X-B")).toBe("b");
    expect(await response.text()).toBe(createHash("sha256").update(body).digest("hex"));
    expect(seen).toEqual(["POST", `${url}/a//b?c=%20d`, "1"]);
  });

  it("answers a GET as the workflow does", async () => {
    const url = await listen(serve(() => 1, { verify: "off", env: {} }));
    expect((await fetch(url)).status).toBe(405);
  });

  it("answers a body over the limit while it is still coming", async () => {
    const url = await listen(serve(() => 1, { verify: "off", env: {}, bodyLimit: 1000 }));
    const status = await new Promise((resolve, reject) => {
      const outgoing = request(url, { method: "POST" }, (response) => resolve(response.statusCode));
      outgoing.on("error", reject);
      outgoing.write("x".repeat(5000));
    });
    expect(status).toBe(413);
  });

  it("says how to mend a body that a parser has eaten", async () => {
    const listener = serve(() => 1, { verify: "off", env: {} });
    const url = await listen(async (incoming, outgoing) => {
      for await (const _ of incoming);
      await listener(incoming, outgoing);
    });
    const response = await fetch(url, { method: "POST", body: "{}" });
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({
      message: expect.stringContaining("before any body parser"),
    });
  });

  it("takes a request whose Host is nonsense", async () => {
    const url = await listen(toNode(async (incoming) => new Response(new URL(incoming.url).pathname)));
    const body = await new Promise((resolve, reject) => {
      const outgoing = request(`${url}/wf`, { headers: { Host: "a b" } }, (response) =>
        response.on("data", (data) => resolve(String(data))),
      );
      outgoing.on("error", reject).end();
    });
    expect(body).toBe("/wf");
  });
});
