import fastify, { type FastifyInstance } from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import { serve, serveMany, toFastify } from "../src/fastify.ts";
import { listen, send } from "./support/http.ts";
import { describeAdapter } from "./support/suite.ts";

describeAdapter("Fastify 5", async ({ probe, order, invoice, workflows }) => {
  const app = fastify();
  app.register(
    async (scope) => {
      scope.register(toFastify(probe, "/probe"), { prefix: "/prefix" });
    },
    { prefix: "/under/a" },
  );
  app.register(serve(...order), { prefix: "/order" });
  app.register(serve(...invoice), { prefix: "/invoice" });
  app.register(serveMany(workflows), { prefix: "/many" });
  await app.ready();
  const server = await listen(app.server);
  return { ...server, close: () => void app.close() };
});

describe("Fastify 5", () => {
  let app: FastifyInstance;
  afterEach(() => app.close());

  it("parses as before beside the workflow", async () => {
    app = fastify();
    app.register(
      serve(() => 1, { env: {}, verify: "off" }),
      { prefix: "/order" },
    );
    app.post("/parsed", async ({ body }) => ({ parsed: body }));
    const url = await app.listen({ port: 0 });
    const headers = { "Content-Type": "application/json" };
    expect(String((await send(`${url}/parsed`, { body: '{ "a": 1 }', headers })).body)).toBe(
      '{"parsed":{"a":1}}',
    );
    expect((await send(`${url}/parsed`, { body: "cut", headers })).status).toBe(400);
    expect(
      (await send(`${url}/parsed`, { body: "<a>", headers: { "Content-Type": "text/xml" } })).status,
    ).toBe(415);
  });

  it.each(["/many/../order", "/many/%2e%2e/order", "/many/a\\..\\order"])(
    "refuses a path that it would read as another one: %s",
    async (path) => {
      app = fastify();
      app.register(
        toFastify(async ({ url }) => new Response(url), "/*"),
        { prefix: "/many" },
      );
      const url = await app.listen({ port: 0 });
      expect((await send(url, { path })).status).toBe(400);
      expect((await send(url, { path: "/many/a..b" })).status).toBe(200);
    },
  );

  it("says how to keep a body that a hook has read", async () => {
    app = fastify();
    app.addHook("preParsing", async (_request, _reply, payload) => {
      for await (const _ of payload);
    });
    app.register(serve(() => 1, { env: {}, verify: "off" }));
    const url = await app.listen({ port: 0 });
    const { status, body } = await send(url, { body: "{}" });
    expect(status).toBe(500);
    expect(JSON.parse(String(body)).message).toContain("Hooks in the scope of the workflow must not read it");
  });
});
