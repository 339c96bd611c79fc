import { AsyncLocalStorage } from "node:async_hooks";
import { failureBody, failureHeaders, request } from "@perdure/test-support/delivery";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Around, WorkflowMiddleware } from "../src/index.ts";
import { deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
afterEach(() => vi.restoreAllMocks());

const wrapper = (name: string, around: Around, outgoingHeaders?: () => Record<string, string>) =>
  new WorkflowMiddleware({ name, callbacks: {}, around, ...(outgoingHeaders ? { outgoingHeaders } : {}) });

describe("around of a middleware", () => {
  it("runs a delivery and its step, the first middleware outermost", async () => {
    const seen: string[] = [];
    const one = (name: string) =>
      wrapper(name, async ({ kind, stepName = "", attempt }, next) => {
        seen.push(`${name} begins ${kind} ${stepName} ${attempt}`);
        await next();
        seen.push(`${name} ends ${kind}`);
      });
    const workflow = (context: { run: (name: string, work: () => number) => unknown }) =>
      context.run("pay", () => seen.push("work"));
    const handler = open(recorder(), workflow, { middlewares: [one("a"), one("b")] });
    expect((await deliver(handler, [])).status).toBe(200);
    expect(seen).toEqual([
      "a begins delivery  1",
      "b begins delivery  1",
      "a begins step pay 1",
      "b begins step pay 1",
      "work",
      "b ends step",
      "a ends step",
      "b ends delivery",
      "a ends delivery",
    ]);
  });

  it("gives the step's work the asynchronous context of the middleware", async () => {
    const storage = new AsyncLocalStorage<string>();
    const middlewares = [wrapper("scope", ({ kind }, next) => storage.run(kind, next))];
    const engine = recorder();
    const handler = open(engine, (context) => context.run("pay", () => storage.getStore()), { middlewares });
    await deliver(handler, []);
    expect(engine.records).toMatchObject([{ stepName: "pay", out: '"step"' }]);
  });

  it("sees a failed step and a failed delivery as rejections, and the run fails as without it", async () => {
    const seen: unknown[] = [];
    const middlewares = [
      wrapper("spans", async ({ kind }, next) => {
        await next().catch((error) => {
          seen.push([kind, error.message]);
          throw error;
        });
      }),
    ];
    const failing = () => {
      throw new Error("declined");
    };
    vi.spyOn(console, "error").mockReturnValue();
    const handler = open(recorder(), (context) => context.run("pay", failing), { middlewares });
    const answer = await deliver(handler, []);
    expect(answer.status).toBe(500);
    expect(answer.body).toMatchObject({ message: "declined" });
    expect(seen).toEqual([
      ["step", "declined"],
      ["delivery", "declined"],
    ]);
  });

  const broken: Record<string, Around> = {
    "throws before": async () => {
      throw new Error("no exporter");
    },
    "throws after": async (_, next) => {
      await next();
      throw new Error("no exporter");
    },
    "never runs it": async () => {},
    "runs it twice": async (_, next) => {
      await next();
      await next();
    },
    "doesn't wait for it": async (_, next) => void next(),
  };
  it.each(Object.entries(broken))("%s: the work runs once, with its own outcome", async (name, around) => {
    const logged = vi.spyOn(console, "error").mockReturnValue();
    let ran = 0;
    const engine = recorder();
    const handler = open(engine, (context) => context.run("pay", () => ++ran), {
      middlewares: [wrapper("broken", around), wrapper("fine", (_scope, next) => next())],
    });
    expect((await deliver(handler, [])).status).toBe(200);
    expect(ran).toBe(1);
    // Invocations that other files of this worker have abandoned may still log.
    const blamed = logged.mock.calls.map(String).filter((line) => line.includes("of the middleware"));
    for (const line of blamed) expect(line).toContain('around of the middleware "broken" failed:');
    if (name.startsWith("throws")) expect(blamed).not.toEqual([]);
  });

  it("runs the failure function, and knows the run's headers", async () => {
    const seen: unknown[] = [];
    const middlewares = [
      wrapper("spans", async ({ kind, headers, workflowRunId }, next) => {
        seen.push([kind, workflowRunId, headers.get("traceparent")]);
        await next();
      }),
    ];
    const handler = open(recorder(), () => expect.unreachable(), {
      middlewares,
      failureFunction: () => "undone",
    });
    await handler(request(failureBody(), { ...failureHeaders(), traceparent: "00-a-b-01" }));
    expect(seen).toEqual([
      ["delivery", "wfr_test", "00-a-b-01"],
      ["failureFunction", "wfr_test", "00-a-b-01"],
    ]);
  });

  it("adds its headers to calls; the step's own win, and a throwing function adds none", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const engine = recorder();
    const middlewares = [
      wrapper(
        "ids",
        (_, next) => next(),
        () => ({ traceparent: "00-1", "x-tenant": "default" }),
      ),
      wrapper(
        "broken",
        (_, next) => next(),
        () => {
          throw new Error("no context");
        },
      ),
    ];
    const handler = open(
      engine,
      (context) => context.call("ask", { url: "https://api.test/", headers: { "x-tenant": "acme" } }),
      { middlewares },
    );
    await deliver(handler, []);
    const sent = JSON.stringify(engine.published);
    expect(sent).toContain("00-1");
    expect(sent).toContain("acme");
    expect(sent).not.toContain("default");
  });
});
