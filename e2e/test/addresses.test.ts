import { Client, createWorkflow, type Handler, serve, serveMany } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { environment } from "@perdure/test-support/process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ClockedEngine } from "./support/clocked.ts";
import { Endpoint } from "./support/endpoint.ts";
import { ask } from "./support/views.ts";

let engine: ClockedEngine;
let app: Endpoint;
beforeEach(async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  engine = await ClockedEngine.start();
  app = await Endpoint.start();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await engine.stop();
  await app.stop();
});

const client = () => new Client({ baseUrl: engine.url, token: DEV_CREDENTIALS.token });
const JAPAN = "/%E6%97%A5%E6%9C%AC";

/** Triggers a run, and gives what became of it. */
async function run(url: string, options: object = {}) {
  const { workflowRunId } = await client().trigger({ url, ...options });
  await engine.idle();
  return client().runs.get(workflowRunId);
}

describe("an address with characters outside of ASCII", () => {
  it.each(["/wf", "?q=日本", "?q=a b"])("is triggered: %s", async (end) => {
    const { handler } = serve((context) => context.run("one", () => context.url), {
      env: environment(engine.url),
    });
    const path = end.startsWith("/") ? JAPAN + end : JAPAN;
    const url = app.at(path, handler).replace(path, `/日本${end}`);
    const done = await run(`${url}#part`);
    expect(done).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: JSON.stringify(new URL(url).href),
    });
  });

  it("is called, invoked, and told of a failure", async () => {
    const told: string[] = [];
    const third = app.at(`${JAPAN}/third`, () => Response.json("third")).replace(JAPAN, "/日本");
    const failureUrl = app
      .at(`${JAPAN}/alarm`, () => {
        told.push("alarm");
        return new Response("");
      })
      .replace(JAPAN, "/日本");
    const child = createWorkflow(async () => "child");
    const parent = createWorkflow(async (context) => {
      const { body } = await context.call("third", { url: third });
      const { body: result } = await context.invoke("child", { workflow: child });
      throw new Error(`${body} ${result}`);
    });
    const { handler } = serveMany({ parent, 日本: child }, { env: environment(engine.url) });
    app.at(JAPAN, handler);
    const failed = await run(app.at("/parent", handler), { failureUrl, retries: 0 });
    expect(failed?.workflowState).toBe("RUN_FAILED");
    expect(JSON.stringify(failed)).toContain("third child");
    expect(told).toEqual(["alarm"]);
  });

  it("is published to, and gets callbacks", async () => {
    const visits: string[] = [];
    const listen = (path: string) =>
      app.at(path, () => {
        visits.push(path);
        return new Response("");
      });
    const url = listen(`${JAPAN}/a`);
    const callback = listen(`${JAPAN}/b`).replace(JAPAN, "/日本");
    const headers = { "Upstash-Callback": callback };
    const body = JSON.stringify([{ destination: url.replace(JAPAN, "/日本"), headers }]);
    await ask(engine.url, "/v2/batch", { method: "POST", body });
    await engine.idle();
    expect(visits).toEqual([`${JAPAN}/a`, `${JAPAN}/b`]);
  });
});

describe("an endpoint whose server sees another address than the engine has called", () => {
  const elsewhere =
    (handler: Handler, host: string): ((request: Request) => Promise<Response>) =>
    (request) =>
      handler(new Request(request.url.replace(/\/\/[^/]+/, `//${host}`), request));

  it.each(["0.0.0.0:3000", "app.invalid", "[::]:8080"])("goes on where it was called: %s", async (host) => {
    const { handler } = serve(
      async (context) => {
        await context.run("one", () => 1);
        await context.run("two", () => 2);
        return context.url;
      },
      { env: environment(engine.url) },
    );
    const url = app.at("/wf", elsewhere(handler, host));
    const done = await run(url, { retries: 0 });
    expect(done).toMatchObject({ workflowState: "RUN_SUCCESS", workflowRunResponse: JSON.stringify(url) });
  });
});
