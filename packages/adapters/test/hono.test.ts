import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { serve } from "../src/hono.ts";

const deliver = (app: Hono, env?: object) =>
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
      serve(() => 1, { verify: "off", env: {} }),
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
    expect(await (await deliver(app, bindings)).json()).toMatchObject({
      message: expect.stringContaining("no signature"),
    });
    expect(await (await deliver(app, { incoming: {}, outgoing: {} })).json()).toMatchObject({
      message: expect.stringContaining("no way to tell"),
    });
  });
});
