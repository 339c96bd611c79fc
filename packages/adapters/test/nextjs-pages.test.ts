import { createServer, type IncomingMessage } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { serveManyPagesRouter, servePagesRouter } from "../src/nextjs.ts";
import { toNextPages } from "../src/nextjs-pages.ts";
import { type Listening, listen, send } from "./support/http.ts";
import { describeAdapter } from "./support/suite.ts";

describeAdapter("an API route of Next.js that parses nothing", ({ probe, order, invoice, workflows }) => {
  const routes = [
    { path: "/under/a/prefix/probe", handler: toNextPages(probe).handler },
    { path: "/order", handler: servePagesRouter(...order).handler },
    { path: "/invoice", handler: servePagesRouter(...invoice).handler },
    { path: "/many/", handler: serveManyPagesRouter(workflows).handler },
  ];
  return listen((incoming, outgoing) => {
    routes.find(({ path }) => incoming.url?.startsWith(path))?.handler(incoming, outgoing);
  });
});

describe("an API route of Next.js that has parsed the body", () => {
  let server: Listening | undefined;
  afterEach(() => server?.close());

  it.each([
    ["takes bytes", (bytes: Buffer) => bytes, /^\{ "a":1.0 \}$/],
    ["takes text", String, /^\{ "a":1.0 \}$/],
    ["says how to keep what was JSON", (bytes: Buffer) => JSON.parse(String(bytes)), /bodyParser: false/],
  ])("%s", async (_what, parse, expected) => {
    const { handler } = toNextPages(async (request) => new Response(await request.text().catch(String)));
    server = await listen(
      createServer(async (incoming: IncomingMessage & { body?: unknown }, outgoing) => {
        for await (const bytes of incoming) incoming.body = parse(bytes);
        await handler(incoming, outgoing);
      }),
    );
    expect(String((await send(server.url, { body: '{ "a":1.0 }' })).body)).toMatch(expected);
  });
});
