import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import { connect as connectSocket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { serve, serveMany, toNode } from "../src/node.ts";
import { type Listening, listen, send } from "./support/http.ts";
import { describeAdapter } from "./support/suite.ts";

describeAdapter("node:http", ({ probe, order, invoice, workflows }) => {
  const routes = [
    { path: "/under/a/prefix/probe", listener: toNode(probe) },
    { path: "/order", listener: serve(...order) },
    { path: "/invoice", listener: serve(...invoice) },
    { path: "/many/", listener: serveMany(workflows) },
  ];
  return listen((incoming, outgoing) => {
    routes.find(({ path }) => incoming.url?.startsWith(path))?.listener(incoming, outgoing);
  });
});

describe("a workflow as a listener of node:http", () => {
  let server: Listening | undefined;
  afterEach(() => server?.close());

  /** Answers the URL that the handler is given. */
  const tellUrl = toNode(async (incoming) => new Response(incoming.url));

  it("answers a body over the limit while it is still coming", async () => {
    server = await listen(serve(() => 1, { verify: "off", env: {}, bodyLimit: 1000 }));
    const status = await new Promise((resolve, reject) => {
      const outgoing = request(server?.url ?? "", { method: "POST" }, (response) =>
        resolve(response.statusCode),
      );
      outgoing.on("error", reject);
      outgoing.write("x".repeat(5000));
    });
    expect(status).toBe(413);
  });

  it.each([
    "/admin/../wf",
    "/admin/%2e%2e/wf",
    "/a/%2E./wf",
    "/./wf",
    "/wf/..",
    "/wf/%2e",
    "/admin\\\\..\\\\wf",
  ])("refuses a path that it would read as another one: %s", async (path) => {
    server = await listen(tellUrl);
    expect((await send(server.url, { path: path.replaceAll("\\\\", "\\") })).status).toBe(400);
  });

  it.each(["/a..b/.c/d./...", "/wf?to=/../x", "//wf"])("reads a path as it came: %s", async (path) => {
    server = await listen(tellUrl);
    const { body } = await send(server.url, { path });
    expect(String(body)).toMatch(new RegExp(`${path.replace(/[.?]/g, "\\$&")}$`));
  });

  it.each([
    ["comes with the head", ["Content-Length: 10", "", "one, twoé"]],
    ["comes in pieces", ["Content-Length: 10", "", "one, ", "two", "é"]],
    ["comes after the head", ["Content-Length: 10", "", "", "one, twoé"]],
    ["is chunked", ["Transfer-Encoding: chunked", "", "5\r\none, \r\n", "5\r\ntwoé\r\n0\r\n\r\n"]],
  ])("reads a body that %s, and the request behind it", async (_name, [header, empty, ...pieces]) => {
    const readBody = toNode(async (incoming) => new Response(await incoming.text()));
    server = await listen(readBody);
    const socket = connectSocket(Number(new URL(server.url).port), "127.0.0.1").setEncoding("utf8");
    let received = "";
    socket.on("data", (text) => {
      received += text;
    });
    for (const count of [1, 2]) {
      const [first = "", ...others] = pieces;
      socket.write(["POST /wf HTTP/1.1", "Host: localhost", header, empty, first].join("\r\n"));
      for (const piece of others) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        socket.write(piece);
      }
      await vi.waitFor(() => expect(received.split("one, twoé")).toHaveLength(count + 1), 30_000);
    }
    socket.destroy();
  });

  it("answers a stranger whose body is still on its way", async () => {
    server = await listen(serve(() => 1, { keys: { current: "sig_a", next: "sig_b" }, env: {} }));
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const statuses = [{}, { "Upstash-Signature": "a.b.c" }].map(
      (headers) =>
        new Promise((resolve, reject) => {
          const options = { method: "POST", headers: { ...headers, "Content-Length": 1_000_000 } };
          const outgoing = request(server?.url ?? "", options, (response) => {
            resolve(response.statusCode);
            outgoing.destroy();
          });
          outgoing.on("error", reject);
          outgoing.write("x".repeat(5000));
        }),
    );
    expect(await Promise.all(statuses)).toEqual([401, 401]);
  });

  it("says how to mend a body that a parser has eaten", async () => {
    const listener = serve(() => 1, { verify: "off", env: {} });
    server = await listen(async (incoming, outgoing) => {
      for await (const _ of incoming);
      await listener(incoming, outgoing);
    });
    const { status, body } = await send(server.url, { body: "{}" });
    expect(status).toBe(500);
    expect(JSON.parse(String(body)).message).toContain("before any body parser");
  });

  it.each([
    ["a b", "/wf", "http://localhost/wf"],
    ["user:password@a", "/wf", "http://a/wf"],
    ["a/b?c#d", "/wf", "http://a/wf"],
    ["a", "//b/wf", "http://a//b/wf"],
    ["a", "http://b/wf?c", "http://a/wf?c"],
    ["a", "http://b?c", "http://a/?c"],
    ["a", "*", "http://a/*"],
    ["a", "/wf?to=http://b/", "http://a/wf?to=http://b/"],
  ])("has Host %s and the request line's %s make %s", async (host, path, url) => {
    server = await listen(tellUrl);
    const { body } = await send(server.url, { headers: { Host: host }, path });
    expect(String(body)).toBe(url);
  });

  it("is deaf to requests that fetch can't express", async () => {
    server = await listen(tellUrl);
    expect((await send(server.url, { method: "TRACE" })).status).toBe(400);
  });

  it("answers 500 for a handler that rejects, and writes to the console why", async () => {
    const error = vi.spyOn(console, "error");
    server = await listen(toNode(() => Promise.reject(new Error("no answer"))));
    expect((await send(server.url, {})).status).toBe(500);
    expect(error).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/^\[perdure\] The handler of a request failed: Error: no answer\n +at /),
    );
    error.mockRestore();
  });

  it("writes nothing to the console that could control a terminal", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const thrown = new Error("a\u001b[2Jb\u009b31m\r\u202ec", { cause: new Error("\u0007") });
    server = await listen(toNode(() => Promise.reject(thrown)));
    expect((await send(server.url, {})).status).toBe(500);
    const [line] = error.mock.calls.flat();
    expect(line).toContain("a\\u001b[2Jb\\u009b31m\\u000d\\u202ec");
    expect(line).toContain("[cause]: Error: \\u0007");
    expect(line).not.toMatch(/(?![\t\n])\p{Cc}|\u202e/u);
    error.mockRestore();
  });

  it("leaves an answer alone that somebody else has given", async () => {
    const listener = tellUrl;
    server = await listen(async (incoming, outgoing) => {
      outgoing.end("mine");
      await listener(incoming, outgoing);
    });
    expect(String((await send(server.url, {})).body)).toBe("mine");
  });

  it("sends each event of an event stream when it comes, until the client leaves", async () => {
    const cancel = vi.fn();
    let events: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        events = controller;
      },
      cancel,
    });
    const headers = { "Content-Type": "text/event-stream; charset=utf-8" };
    server = await listen(toNode(async () => new Response(body, { headers })));
    const outgoing = request(server.url).end();
    events?.enqueue(Buffer.from("data: 1\n\n"));
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    expect(response.headers["content-type"]).toBe(headers["Content-Type"]);
    expect(String((await once(response, "data"))[0])).toBe("data: 1\n\n");
    events?.enqueue(Buffer.from("data: 2\n\n"));
    expect(String((await once(response, "data"))[0])).toBe("data: 2\n\n");
    response.destroy();
    await expect.poll(() => cancel).toHaveBeenCalledOnce();
  });

  it("takes from an event stream no more than the client reads", async () => {
    let taken = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (taken === 500) return controller.close();
        taken++;
        controller.enqueue(new Uint8Array(100_000));
      },
    });
    const headers = { "Content-Type": "text/event-stream" };
    server = await listen(toNode(async () => new Response(body, { headers })));
    const outgoing = request(server.url).end();
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    const seen = new Map<number, number>();
    // The stream stands still: the client reads nothing.
    await expect.poll(() => seen.set(taken, (seen.get(taken) ?? 0) + 1).get(taken), { interval: 20 }).toBe(5);
    expect(taken).toBeLessThan(400);
    let length = 0;
    for await (const chunk of response) length += chunk.length;
    expect([taken, length]).toEqual([500, 50_000_000]);
  });

  it("speaks HTTP/2 as well", async () => {
    const http2 = createHttp2Server(
      toNode(async (incoming) => new Response(`${incoming.url} ${await incoming.text()}`, { status: 203 })),
    );
    await once(http2.listen(0, "127.0.0.1"), "listening");
    const address = http2.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const client = connect(`http://127.0.0.1:${port}`);
    const stream = client.request({ ":method": "POST", ":path": "/wf?a" });
    stream.end("body");
    const [headers] = await once(stream, "response");
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    client.close();
    http2.close();
    expect(headers[":status"]).toBe(203);
    expect(String(Buffer.concat(chunks))).toBe(`http://127.0.0.1:${port}/wf?a body`);
  });
});
