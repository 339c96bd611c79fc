import type { Handler } from "@perdure/core";
import { H3, toNodeHandler } from "h3";
import { createApp, createRouter, toNodeListener, useBase } from "h3v1";
import { afterEach, describe, expect, it } from "vitest";
import { serve, serveMany, toH3 } from "../src/h3.ts";
import { type Listening, listen, send } from "./support/http.ts";
import { describeAdapter } from "./support/suite.ts";

describeAdapter("h3 2", ({ probe, order, invoice, workflows }) => {
  const app = new H3()
    .mount("/under/a", new H3().all("/prefix/probe", toH3(probe).handler))
    .all("/order", serve(...order).handler)
    .all("/invoice", serve(...invoice).handler)
    .all("/many/**", serveMany(workflows).handler);
  return listen(toNodeHandler(app));
});

describeAdapter("h3 1", ({ probe, order, invoice, workflows }) => {
  const inner = createRouter().use("/prefix/probe", toH3(probe).handler);
  const router = createRouter()
    .use("/under/a/**", useBase("/under/a", inner.handler))
    .use("/order", serve(...order).handler)
    .use("/invoice", serve(...invoice).handler)
    .use("/many/**", serveMany(workflows).handler);
  return listen(toNodeListener(createApp().use(router)));
});

describe.each([
  ["2", (handler: Handler) => toNodeHandler(new H3().all("/many/**", toH3(handler).handler))],
  [
    "1",
    (handler: Handler) =>
      toNodeListener(createApp().use(createRouter().use("/many/**", toH3(handler).handler))),
  ],
])("h3 %s", (_version, mount) => {
  let server: Listening | undefined;
  afterEach(() => server?.close());

  it.each(["/many/../many/x", "/many/%2e%2e/many/order", "/many/a/..\\order"])(
    "refuses a path that it would read as another one: %s",
    async (path) => {
      server = await listen(mount(async ({ url }) => new Response(url)));
      expect((await send(server.url, { path })).status).toBe(400);
      expect((await send(server.url, { path: "/many/a..b" })).status).toBe(200);
    },
  );
});
