import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createWorkflow, serveMany, type WorkflowContext, WorkflowMiddleware } from "@perdure/core";
import { environment } from "@perdure/test-support/process";
import { describe, expect, it } from "vitest";
import { failureFunction, perform, stage, useStage } from "./support/stage.ts";

useStage();

/** Larger than the 10 MiB that the engine takes. */
const LARGE = "x".repeat(11_000_000);

const child = createWorkflow(() => 1);

/** Work that an engine refuses to take for its size: each does "work" once, in the same step or in one before. */
const TOO_LARGE: [string, (context: WorkflowContext) => unknown, string][] = [
  [
    "a step's result",
    (c) =>
      c.run("export", () => {
        stage.diary.push("work");
        return LARGE;
      }),
    'the result of step "export"',
  ],
  [
    "a member of a group",
    (c) =>
      Promise.all([
        c.run("export", () => {
          stage.diary.push("work");
          return LARGE;
        }),
        c.sleep("rest", 60),
      ]),
    'the result of step "export"',
  ],
  [
    "the workflow's result",
    async (c) => {
      await c.run("charge", () => stage.diary.push("work"));
      return LARGE;
    },
    "the workflow's result",
  ],
  [
    "a call's body",
    async (c) => {
      await c.run("charge", () => stage.diary.push("work"));
      await c.call("send", { url: "https://third.example", method: "POST", body: LARGE });
    },
    'the request of step "send"',
  ],
  [
    "an event",
    async (c) => {
      await c.run("charge", () => stage.diary.push("work"));
      await c.notify("tell", "event", LARGE);
    },
    'the event of step "tell"',
  ],
  [
    "a child's payload",
    async (c) => {
      await c.run("charge", () => stage.diary.push("work"));
      await c.invoke("child", { workflow: child, body: LARGE });
    },
    'the request of step "child"',
  ],
];

const MODES: [string, { inline?: false }][] = [
  ["inline", {}],
  ["one step a delivery", { inline: false }],
];

describe.each(MODES)("what is too large for the engine (%s)", (_mode, mode) => {
  it.each(TOO_LARGE)("fails the run at once, and no work is done twice: %s", async (_name, work, subject) => {
    const env = environment(stage.lab.url);
    const order = createWorkflow(work, { failureFunction });
    const { handler } = serveMany({ order, child }, { env, ...mode });
    const url = stage.lab.at("/order", handler);
    const { workflowRunId } = await stage.lab.client.trigger({ url, retries: 3, retryDelay: "10" });
    await stage.lab.drain();
    expect(stage.diary).toEqual(["work", "failure function"]);
    expect((await stage.lab.run(workflowRunId)).workflowState).toBe("RUN_FAILED");
    expect(stage.told).toMatchObject({ failStatus: 489, attempts: 1 });
    expect(stage.told?.failResponse).toContain(`${subject} (110`);
    expect(stage.told?.failResponse).toContain("larger than the limit of 10485760 bytes");
  });
});

describe.each(MODES)("a request that the engine refuses (%s)", (_mode, mode) => {
  it.each<[string, (context: WorkflowContext) => unknown]>([
    ["a call with too many retries", (c) => c.call("late", { url: "https://a.example", retries: 5000 })],
    [
      "a call beside a sleep",
      (c) =>
        Promise.all([c.call("late", { url: "https://a.example", retries: 5000 }), c.sleep("rest", "1h")]),
    ],
  ])("fails its step, and keeps the steps before it: %s", async (_name, request) => {
    const id = await perform(
      async (c) => {
        await c.run("a", () => stage.diary.push("work"), {
          rollback: () => void stage.diary.push("undo"),
        });
        await request(c);
      },
      { failureFunction, ...mode },
    );
    expect(stage.diary).toEqual(["work", "undo", "failure function"]);
    expect((await stage.lab.run(id)).workflowState).toBe("RUN_FAILED");
    expect(stage.told).toMatchObject({ failStatus: 489, where: "step", step: { id: 2, name: "late" } });
    expect(stage.told?.failResponse).toContain("at most 999; got 5000");
  });
});

describe("an endpoint with a token that the engine doesn't take", () => {
  const env = () => ({ ...environment(stage.lab.url), QSTASH_TOKEN: "another", QSTASH_DEV: "0" });

  it("says so, and has its steps recorded by its answers", async () => {
    const warnings: string[] = [];
    const middleware = new WorkflowMiddleware({
      name: "warnings",
      callbacks: { onWarning: ({ warning }) => void warnings.push(warning) },
    });
    const id = await perform(
      async (c) => {
        await c.run("charge", () => stage.diary.push("charge"));
        await c.run("ship", () => stage.diary.push("ship"));
      },
      { env: env(), verify: "off", middlewares: [middleware] },
    );
    expect(stage.diary).toEqual(["charge", "ship"]);
    expect((await stage.lab.run(id)).workflowState).toBe("RUN_SUCCESS");
    expect(warnings[0]).toMatch(/answers 401 to POST .*QSTASH_TOKEN/);
  });

  it("does a step's work once, with one step a delivery", async () => {
    const work = () => stage.diary.push("work");
    const id = await perform((c) => c.run("charge", work), { env: env(), verify: "off", inline: false });
    expect(stage.diary).toEqual(["work", "failure function"]);
    expect((await stage.lab.run(id)).workflowState).toBe("RUN_FAILED");
    expect(stage.told).toMatchObject({ failStatus: 489, attempts: 1, step: { name: "charge" } });
    expect(stage.told?.failResponse).toMatch(/answers 401 to .*QSTASH_TOKEN/);
  });

  it("does none without a token, and its failure function is told why", async () => {
    const env = { ...environment(stage.lab.url), QSTASH_TOKEN: "", QSTASH_DEV: "0" };
    await perform((c) => c.run("charge", () => stage.diary.push("work")), { env, verify: "off" });
    expect(stage.diary).toEqual(["failure function"]);
    expect(stage.told?.failResponse).toMatch(/There is no token for the engine. Set PERDURE_TOKEN/);
  });
});

describe("an engine that only has trouble", () => {
  it("is asked again, with the work done again", async () => {
    let trouble = 2;
    const proxy = createServer(async (request, response) => {
      if (trouble-- > 0) {
        request.resume();
        return void response.writeHead(503).end("busy");
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method = "", headers, url = "" } = request;
      const answer = await fetch(stage.lab.url + url, {
        method,
        headers: { authorization: String(headers.authorization), "content-type": "application/json" },
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
      });
      response.writeHead(answer.status).end(await answer.text());
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => proxy.once("listening", resolve));
    try {
      const base = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      const env = { ...environment(stage.lab.url), QSTASH_URL: base };
      const id = await perform(
        (c) => c.run("charge", () => stage.diary.push("work")),
        { env, inline: false },
        { retries: 3 },
      );
      expect(stage.diary).toEqual(["work", "work", "work"]);
      expect((await stage.lab.run(id)).workflowState).toBe("RUN_SUCCESS");
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

describe("an error of any size", () => {
  it("reaches the failure function as an error of its step", async () => {
    const long = "x".repeat(3_000_000);
    const parse = () => {
      throw new RangeError(long, { cause: new TypeError(long) });
    };
    await perform((c) => c.run("parse", parse), {}, { retries: 0 });
    expect(stage.told).toMatchObject({ where: "step", step: { name: "parse" } });
    expect(stage.told?.error).toMatchObject({ name: "RangeError", cause: { name: "TypeError" } });
    expect(stage.told?.failResponse).toMatch(/^x{65536}… \[cut: 3000000 characters\]$/);
  });
});

describe("code that no longer asks for what its run has recorded", () => {
  it.each<[string, (context: WorkflowContext) => unknown]>([
    ["returns", async (c) => void (await c.run("a", () => 1))],
    [
      "throws",
      () => {
        throw new TypeError("gone");
      },
    ],
  ])("and %s, fails the run", async (_name, second) => {
    let deployed: typeof second = async (c) => {
      await c.run("a", () => 1);
      await c.run("b", () => 2);
      await c.sleep("rest", 60);
      await c.run("c", () => 3);
    };
    const url = stage.lab.serve((c) => deployed(c), { failureFunction });
    const { workflowRunId } = await stage.lab.client.trigger({ url, retries: 0 });
    await stage.lab.idle();
    deployed = second;
    await stage.lab.drain();
    expect((await stage.lab.run(workflowRunId)).workflowState).toBe("RUN_FAILED");
    expect(stage.told).toMatchObject({ where: "replay" });
    expect(stage.told?.failResponse).toMatch(/Recorded, not requested: .*2 "b" \(Run\), 3 "rest"/);
  });
});
