import { Elysia } from "elysia";
import { afterEach, describe, expect, it } from "vitest";
import { serve, serveMany, toElysia } from "../src/elysia.ts";
import { toNode } from "../src/node.ts";
import { type Listening, listen, send } from "./support/http.ts";
import { describeAdapter } from "./support/suite.ts";

const raw = { parse: "none" } as const;

describeAdapter("Elysia", ({ probe, order, invoice, workflows }) => {
  const app = new Elysia()
    .group("/under/a", (group) => group.all("/prefix/probe", toElysia(probe), raw))
    .all("/order", serve(...order), raw)
    .all("/invoice", serve(...invoice), raw)
    .post("/many/*", serveMany(workflows), raw);
  return listen(toNode((request) => app.handle(request)));
});

describe("Elysia", () => {
  let server: Listening | undefined;
  afterEach(() => server?.close());

  it("says how to keep a body that Elysia has parsed", async () => {
    const app = new Elysia()
      .onBeforeHandle(({ body }) => void body)
      .post(
        "/",
        serve(() => 1, { env: {}, verify: "off" }),
      );
    server = await listen(toNode((request) => app.handle(request)));
    const headers = { "Content-Type": "application/json" };
    const { status, body } = await send(server.url, { body: "{}", headers });
    expect(status).toBe(500);
    expect(JSON.parse(String(body)).message).toContain('{ parse: "none" }');
  });
});
