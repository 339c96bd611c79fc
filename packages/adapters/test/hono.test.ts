import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { serve, serveMany, toHono, type WorkflowBindings } from "../src/hono.ts";
import { toNode } from "../src/node.ts";
import { listen } from "./support/http.ts";
import { reasonOf } from "./support/refusal.ts";
import { describeAdapter } from "./support/suite.ts";

describeAdapter("Hono", ({ probe, order, invoice, workflows }) => {
  const app = new Hono()
    .route("/under/a", new Hono().all("/prefix/probe", toHono(probe)))
    .all("/order", serve(...order))
    .all("/invoice", serve(...invoice))
    .all("/many/*", serveMany(workflows));
  return listen(toNode(async (request) => app.fetch(request)));
});

/** An app, whatever its bindings. */
interface App {
  request(path: string, init: RequestInit, env?: object): Response | Promise<Response>;
}

const deliver = (app: App, env?: object) =>
  app.request(
    "/wf",
    {
      method: "POST",
      headers: { "Upstash-Workflow-Sdk-Version": "1", "Upstash-Workflow-RunId": "wfr_1" },
      body: "cut",
    },
    env,
  );

describe("a workflow as a Hono route", () => {
  it("answers what the workflow's handler answers", async () => {
    const app = new Hono().post(
      "/wf",
      serve(() => 1, { verify: "off", env: { QSTASH_TOKEN: "t" } }),
    );
    const response = await deliver(app);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ message: expect.stringContaining("history") });
  });

  it("has its environment from the platform's bindings", async () => {
    const app = new Hono().post(
      "/wf",
      serve(() => 1),
    );
    const bindings = { QSTASH_TOKEN: "t", QSTASH_CURRENT_SIGNING_KEY: "a", QSTASH_NEXT_SIGNING_KEY: "b" };
    expect(await reasonOf(() => deliver(app, bindings))).toContain("no signature");
    expect(await reasonOf(() => deliver(app, { incoming: {}, outgoing: {} }))).toContain("checks nothing");
  });

  it("fits an app with the bindings that a workflow reads", async () => {
    const app = new Hono<{ Bindings: WorkflowBindings }>().post(
      "/wf",
      serve<unknown, WorkflowBindings>(() => 1),
    );
    expect(await reasonOf(() => deliver(app, { QSTASH_TOKEN: "t" }))).toContain("checks nothing");
  });

  it("knows bindings also by variables that are called otherwise", async () => {
    const app = new Hono().post(
      "/wf",
      serve(() => 1),
    );
    const keys = { EU_CENTRAL_1_QSTASH_CURRENT_SIGNING_KEY: "a", EU_CENTRAL_1_QSTASH_NEXT_SIGNING_KEY: "b" };
    const region = { QSTASH_REGION: "EU_CENTRAL_1", KV: {} };
    expect(await reasonOf(() => deliver(app, { ...keys, ...region }))).toContain("no signature");
  });

  const echo = toHono(async (request) => new Response(await request.text().catch(String)));
  const body = '{ "a":1.0, "é":"\\u00e9" }';

  it.each(["json", "text", "arrayBuffer"] as const)("takes the bytes that %s() has kept", async (read) => {
    const app = new Hono().use(async ({ req }, next) => {
      await req[read]();
      await next();
    });
    const response = await app.post("/wf", echo).request("/wf", { method: "POST", body });
    expect(await response.text()).toBe(body);
  });

  it("says what to do when they are gone", async () => {
    const app = new Hono().use(async ({ req }, next) => {
      await req.raw.text();
      await next();
    });
    const response = await app.post("/wf", echo).request("/wf", { method: "POST", body });
    expect(await response.text()).toMatch(/^TypeError: .*before any middleware that reads the body/);
  });
});
