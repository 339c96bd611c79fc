import Koa, { type Middleware } from "koa";
import { afterEach, describe, expect, it } from "vitest";
import { serve, serveMany, toKoa } from "../src/koa.ts";
import { type Listening, listen, send } from "./support/http.ts";
import { describeAdapter } from "./support/suite.ts";

describeAdapter("Koa 3", ({ probe, order, invoice, workflows }) => {
  const app = new Koa({ proxy: true });
  const routes: [string, Middleware][] = [
    ["/under/a/prefix/probe", toKoa(probe)],
    ["/order", serve(...order)],
    ["/invoice", serve(...invoice)],
    ["/many/", serveMany(workflows)],
  ];
  app.use((context, next) => {
    const route = routes.find(([path]) => context.path.startsWith(path));
    // As koa-mount does it.
    context.url = "/";
    return route ? route[1](context, next) : next();
  });
  return listen(app.callback());
});

const BODY = '{ "a":1.0, "é":"\\u00e9" }';

describe("Koa 3, behind a body parser", () => {
  let server: Listening | undefined;
  afterEach(() => server?.close());

  async function answerOf(keep: (bytes: Buffer) => object): Promise<string> {
    const app = new Koa();
    app.use(async (context, next) => {
      const chunks: Buffer[] = [];
      for await (const chunk of context.req) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      Object.assign(context.request, { body: JSON.parse(String(bytes)) }, keep(bytes));
      await next();
    });
    app.use(toKoa(async (request) => new Response(await request.text().catch(String))));
    server = await listen(app.callback());
    return String((await send(server.url, { body: BODY })).body);
  }

  it("takes the bytes that it has kept", async () => {
    expect(await answerOf((rawBody) => ({ rawBody }))).toBe(BODY);
    expect(await answerOf((bytes) => ({ rawBody: String(bytes) }))).toBe(BODY);
    expect(await answerOf((body) => ({ body }))).toBe(BODY);
  });

  it("says what to do where it has kept none", async () => {
    expect(await answerOf(() => ({}))).toMatch(/^TypeError: .*before any body parser/);
  });
});
