import {
  Client,
  type ServeOptions,
  serve,
  type WorkflowContext,
  WorkflowRetryAfterError,
} from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { environment } from "@perdure/test-support/process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ClockedEngine } from "./support/clocked.ts";
import { Endpoint } from "./support/endpoint.ts";

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

const DAY = 86_400_000;
const client = () => new Client({ baseUrl: engine.url, token: DEV_CREDENTIALS.token });

/** The milliseconds after its start at which a workflow was at each of the places that it names. */
async function times(
  workflow: (context: WorkflowContext, mark: (place: string) => void) => Promise<unknown>,
  run: { readonly lasts: number; readonly trigger?: object; readonly serve?: Partial<ServeOptions> },
): Promise<[string, number][]> {
  const begun = engine.clock.now();
  const marks: [string, number][] = [];
  const mark = (place: string) => void marks.push([place, engine.clock.now() - begun]);
  const { handler } = serve((context) => workflow(context, mark), {
    env: environment(engine.url),
    ...run.serve,
  });
  await client().trigger({ url: app.at("/wf", handler), ...run.trigger });
  await engine.idle();
  engine.clock.advance(run.lasts - 1);
  await engine.idle();
  engine.clock.advance(1);
  await engine.idle();
  return marks;
}

describe("a rest", () => {
  it.each<[string, (context: WorkflowContext) => Promise<unknown>, number]>([
    ["sleep(1.4)", (c) => c.sleep("rest", 1.4), 1400],
    ["sleep(0.2)", (c) => c.sleep("rest", 0.2), 200],
    ['sleep("0.5s")', (c) => c.sleep("rest", "0.5s"), 500],
    ['sleep("250ms")', (c) => c.sleep("rest", "250ms"), 250],
    ['sleep("1d12h")', (c) => c.sleep("rest", "1d12h"), 1.5 * DAY],
    ["sleepUntil(Date)", (c) => c.sleepUntil("rest", new Date(engine.clock.now() + 1234)), 1234],
    ["sleepUntil(seconds)", (c) => c.sleepUntil("rest", (engine.clock.now() + 1234) / 1000), 1234],
    ["a wait", (c) => c.waitForEvent("rest", "never", { timeout: 1.5 }), 1500],
    ["a member of a group", (c) => Promise.all([c.sleep("rest", 0.3), c.run("beside", () => 1)]), 300],
  ])("of %s ends when it should, to the millisecond", async (_name, rest, ms) => {
    const marks = await times(
      async (context, mark) => {
        await rest(context);
        await context.run("after", () => mark("after"));
      },
      { lasts: ms },
    );
    expect(marks).toEqual([["after", ms]]);
  });

  it.each<[string, (context: WorkflowContext) => Promise<unknown>]>([
    ["sleep(undefined)", (c) => c.sleep("rest", undefined as unknown as number)],
    ["sleep(null)", (c) => c.sleep("rest", null as unknown as number)],
    ["sleep(1n)", (c) => c.sleep("rest", 1n as unknown as number)],
    ["sleep(true)", (c) => c.sleep("rest", true as unknown as number)],
    ["sleepUntil(milliseconds)", (c) => c.sleepUntil("rest", Date.now())],
    ["sleepUntil(invalid Date)", (c) => c.sleepUntil("rest", new Date("soon"))],
    ["sleepUntil(null)", (c) => c.sleepUntil("rest", null as unknown as number)],
    ["a wait of null", (c) => c.waitForEvent("rest", "e", { timeout: null as unknown as number })],
    [
      "a webhook of undefined",
      (c) => c.waitForWebhook("rest", { webhookUrl: "", eventId: "e" }, undefined as never),
    ],
    ["a call's timeout", (c) => c.call("rest", { url: engine.url, timeout: Number.NaN })],
    ["a call's retryDelay", (c) => c.call("rest", { url: engine.url, retryDelay: "soon" })],
    [
      "a call's period",
      (c) => c.call("rest", { url: engine.url, flowControl: { key: "k", rate: 1, period: null as never } }),
    ],
  ])("%s is a TypeError that names the step", async (_name, rest) => {
    const told: string[] = [];
    await times((context) => rest(context), {
      lasts: 1,
      trigger: { retries: 0 },
      serve: { failureFunction: ({ error }) => void told.push(`${error.name}: ${error.message}`) },
    });
    expect(told).toEqual([expect.stringMatching(/^TypeError: .*"rest".*; got .*\.$/s)]);
  });
});

describe("a wait before a retry that is asked for", () => {
  const twice = (fail: (context: WorkflowContext) => Promise<unknown>) => {
    let left = 1;
    return async (context: WorkflowContext, mark: (place: string) => void) => {
      mark("attempt");
      if (left-- > 0) await fail(context);
    };
  };
  const boom = () => Promise.reject(new Error("boom"));

  it.each<[string, Parameters<typeof twice>[0], object, number]>([
    ["by an error, in days", () => Promise.reject(new WorkflowRetryAfterError("later", "2d")), {}, 2 * DAY],
    [
      "by an error, in milliseconds",
      () => Promise.reject(new WorkflowRetryAfterError("later", 0.25)),
      {},
      250,
    ],
    ["by a step", (c) => c.run("charge", boom, { retryDelay: "3d" }), {}, 3 * DAY],
    ["by a trigger, in days", boom, { retryDelay: "2d" }, 2 * DAY],
    ["by a trigger, in seconds", boom, { retryDelay: 5 }, 5000],
    ["by a trigger, as a duration", boom, { retryDelay: "5s" }, 5000],
    ["by a trigger, as an expression", boom, { retryDelay: "500 * (1 + retried)" }, 500],
  ])("%s isn't shortened", async (_name, fail, trigger, ms) => {
    const marks = await times(twice(fail), { lasts: ms, trigger });
    expect(marks).toEqual([
      ["attempt", 0],
      ["attempt", ms],
    ]);
  });

  const WAITS: [WorkflowRetryAfterError["retryAfter"], number][] = [
    [200_000, 200_000_000],
    ["90000001ms", 90_000_001],
    ["90001s", 90_001_000],
    ["1501m", 90_060_000],
    ["36h", 1.5 * DAY],
    ["2d", 2 * DAY],
    ["1w", 7 * DAY],
    ["1d12h", 1.5 * DAY],
  ];
  const MODES: [string, Partial<ServeOptions>][] = [
    ["inline", {}],
    ["one step a delivery", { inline: false }],
  ];
  for (const [mode, serve] of MODES)
    it.each(WAITS)(
      `in each unit isn't shortened, alone and beside another step, ${mode}: %s`,
      async (asked, ms) => {
        for (const beside of [false, true]) {
          let left = 1;
          const marks = await times(
            (context, mark) => {
              const late = context.run("late", () => {
                mark("attempt");
                if (left-- > 0) throw new WorkflowRetryAfterError("later", asked);
              });
              return beside ? Promise.all([late, context.run("other", () => 1)]) : late;
            },
            { lasts: ms, serve },
          );
          expect(marks).toEqual([
            ["attempt", 0],
            ["attempt", ms],
          ]);
        }
      },
    );

  it.each(["172800", "48h", new Date(Date.UTC(2100, 0, 1)).toUTCString()])(
    "by a third party, Retry-After: %s, isn't shortened",
    async (retryAfter) => {
      const asked: number[] = [];
      const url = app.at("/third", () => {
        asked.push(engine.clock.now());
        return new Response("", { status: 503, headers: { "Retry-After": retryAfter } });
      });
      const until = retryAfter.includes("GMT") ? Date.parse(retryAfter) - engine.clock.now() : 2 * DAY;
      await times((context) => context.call("ask", { url, retries: 1 }), { lasts: until });
      expect(asked.map((at) => at - (asked[0] ?? 0))).toEqual([0, until]);
    },
  );

  it.each<[string, object]>([
    ["retryDelay", { retryDelay: "5 seconds" }],
    ["retryDelay", { retryDelay: "1000 * retires" }],
    ["retryDelay", { retryDelay: null }],
    ["retryDelay", { retryDelay: -1 }],
    ["failureRetryDelay", { failureRetryDelay: "5y" }],
    ["delay", { delay: null }],
    ["delay", { delay: Number.NaN }],
    ["notBefore", { notBefore: Date.now() }],
    ["notBefore", { notBefore: true }],
    ["timeout", { timeout: 1n }],
    ["flowControl.period", { flowControl: { key: "k", rate: 1, period: null } }],
    ["failureUrl", { failureUrl: "app.example.com" }],
  ])("or another option of a trigger is told by its name: %s", async (option, options) => {
    const error = await client()
      .trigger({ url: "https://app.example.com/wf", ...options })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(new RegExp(`^TypeError: ${option} (must be|is a)`));
    expect(String(error)).not.toContain("Upstash");
  });
});
