import { gzipSync } from "node:zlib";
import express from "express";
import express4 from "express4";
import { afterEach, describe, expect, it } from "vitest";
import { serve, serveMany, toExpress } from "../src/express.ts";
import { type Listening, listen, send } from "./support/http.ts";
import { describeAdapter } from "./support/suite.ts";

describeAdapter("Express 5", ({ probe, order, invoice, workflows }) => {
  const inner = express.Router().all("/probe", toExpress(probe));
  const app = express()
    .use("/under/a", express.Router().use("/prefix", inner))
    .use("/order", serve(...order))
    .all("/invoice", serve(...invoice))
    .post("/many/:key", serveMany(workflows));
  return listen(app);
});

describeAdapter("Express 4", ({ probe, order, invoice, workflows }) => {
  const inner = express4.Router().all("/probe", toExpress(probe));
  const app = express4()
    .use("/under/a", express4.Router().use("/prefix", inner))
    .use("/order", serve(...order))
    .all("/invoice", serve(...invoice))
    .post("/many/:key", serveMany(workflows));
  return listen(app);
});

it("a handler can be called with `next`, as code around it does", async () => {
  const handler = toExpress(async () => new Response("workflow"));
  const server = await listen(
    express().use((request, response, next) => void handler(request, response, next)),
  );
  expect(String((await send(server.url, { body: "{}" })).body)).toBe("workflow");
  await server.close();
});

const BODY = '{ "a":1.0, "é":"\\u00e9" }';
const JSON_TYPE = { "Content-Type": "application/json" };

describe.each([
  ["Express 5", express],
  ["Express 4", express4 as unknown as typeof express],
])("%s, behind a body parser", (_name, express) => {
  let server: Listening | undefined;
  afterEach(() => server?.close());

  async function echo(parser: express.RequestHandler): Promise<string> {
    server = await listen(
      express()
        .use(parser)
        .post(
          "/",
          toExpress(async (request) => new Response(await request.arrayBuffer())),
        ),
    );
    return server.url;
  }

  it.each([
    ["express.raw", express.raw({ type: () => true })],
    ["express.text", express.text({ type: () => true })],
    ["a parser whose `verify` keeps the bytes", express.json({ verify: keep })],
    ["a parser for other types", express.urlencoded({ extended: false })],
  ])("takes what %s has left", async (_parser, parser) => {
    expect(String((await send(await echo(parser), { body: BODY, headers: JSON_TYPE })).body)).toBe(BODY);
  });

  function keep(request: object, _response: unknown, rawBody: Buffer): void {
    Object.assign(request, { rawBody });
  }

  async function refusal(
    parser: express.RequestHandler,
    body: string | Buffer,
    headers = {},
  ): Promise<unknown> {
    server = await listen(
      express().use(
        parser,
        serve(() => 1, { env: {}, verify: "off" }),
      ),
    );
    const answer = await send(server.url, { body, headers: { ...JSON_TYPE, ...headers } });
    return { status: answer.status, ...JSON.parse(String(answer.body)) };
  }

  const mended = {
    status: 500,
    error: "TypeError",
    message: expect.stringContaining("Mount the workflow before `express.json()`"),
  };

  it("says how to keep a body that express.json has parsed", async () => {
    expect(await refusal(express.json(), BODY)).toEqual(mended);
  });

  it("doesn't take a parsed JSON text for the bytes", async () => {
    expect(await refusal(express.json({ strict: false }), '"text"')).toEqual(mended);
  });

  it("doesn't take what a parser has inflated for the bytes", async () => {
    const parser = express.raw({ type: () => true });
    expect(await refusal(parser, gzipSync(BODY), { "Content-Encoding": "gzip" })).toEqual(mended);
  });

  it("knows an empty body also when it has been parsed", async () => {
    server = await listen(
      express().use(
        express.json(),
        toExpress(async (request) => new Response(`<${await request.text()}>`)),
      ),
    );
    const { body } = await send(server.url, { headers: { ...JSON_TYPE, "Content-Length": "0" } });
    expect(String(body)).toBe("<>");
  });
});
