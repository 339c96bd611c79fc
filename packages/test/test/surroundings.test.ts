import { serve as serveHono } from "@perdure/adapters/hono";
import { serve as serveNext } from "@perdure/adapters/nextjs";
import { Client, createWorkflow, serve, serveMany, type WorkflowContext } from "@perdure/core";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { testEngine } from "../src/index.ts";
import { invoice, order } from "./order.ts";

describe("time", () => {
  const stamps = serve(async (context) => {
    const first = await context.run("first", () => [
      Date.now(),
      Date.parse(new Date().toISOString()),
      Date().length > 0,
    ]);
    await context.sleep("a year", "365d");
    return [first, await context.run("second", () => new Date().getUTCFullYear())];
  });

  it("is the test's in a workflow with fakeDate, and the machine's elsewhere", async () => {
    const RealDate = Date;
    const now = Date.UTC(2020, 1, 29);
    {
      await using t = await testEngine({ now, fakeDate: true, workflows: { "/stamps": stamps } });
      await using real = await testEngine({ workflows: { "/stamps": stamps } });
      const [fake, other] = [await t.trigger(stamps, undefined), await real.trigger(stamps, undefined)];
      const [[first], [second]] = await Promise.all([
        fake.result() as Promise<number[][]>,
        other.result() as Promise<number[][]>,
      ]);
      expect(first).toEqual([now, now, true]);
      expect((await fake.end()).result).toEqual([[now, now, true], 2021]);
      expect(Math.abs(Number(second?.[0]) - Date.now())).toBeLessThan(60_000);
      expect(new Date(0)).toBeInstanceOf(Date);
    }
    expect(Date).toBe(RealDate);
  });

  it("passes by hand", async () => {
    await using t = await testEngine({ workflows: { "/order": order } });
    const run = await t.trigger(order, { id: "1", card: "1" });
    await t.settle();
    expect(run.steps.map(({ name }) => name)).toEqual(["charge", "wait for the van"]);
    const begin = t.clock.now();
    await t.clock.advance("1h");
    expect(run.steps).toHaveLength(2);
    await t.clock.advance(3600);
    expect(run.steps.map(({ name }) => name)).toEqual(["charge", "wait for the van", "ship"]);
    expect(t.clock.now() - begin).toBe(7_200_000);
    await expect(t.clock.advance(JSON.parse('"soon"'))).rejects.toThrow("seconds or a duration");
  });
});

describe("an endpoint", () => {
  it("can be a route of a framework, or its whole application, with its own settings and keys", async () => {
    const route = serveHono(async (context: WorkflowContext<number>) => context.requestPayload + 1, {
      url: "https://production.example.com/plus",
      keys: { current: "sig_production", next: "sig_other" },
      qstashClient: { baseUrl: "https://production.example.com", token: "secret" },
    });
    const app = new Hono();
    app.post("/plus", route);
    const next = serveNext(async (context: WorkflowContext<number>) => context.requestPayload * 2);
    await using t = await testEngine({ workflows: { "/plus": app, "/next": next } });
    expect(await (await t.trigger("/plus", 1)).result()).toBe(2);
    expect(await (await t.trigger(next, 4)).result()).toBe(8);
  });

  it("can be several workflows that invoke each other", async () => {
    const parent = createWorkflow(async (context: WorkflowContext<{ amount: number }>) => {
      const { body } = await context.invoke("bill", { workflow: invoice, body: context.requestPayload });
      return body;
    });
    await using t = await testEngine({ workflows: { "/jobs/parent": parent, "/jobs/invoice": invoice } });
    const run = await t.trigger(parent, { amount: 7 });
    expect(await run.result()).toBe("invoice over 7");
    expect(t.runs.map(({ state }) => state)).toEqual(["RUN_SUCCESS", "RUN_SUCCESS"]);
    expect(t.run(String(t.runs[1]?.id)).steps.map(({ name }) => name)).toEqual(["write"]);
    expect(() => t.run("wfr_none")).toThrow('The test has no run "wfr_none".');

    const failing = await t.trigger(parent, { amount: 8 });
    failing.mock("bill", { error: new Error("no paper") });
    expect(await failing.result()).toBeUndefined();

    const many = serveMany({ parent, invoice });
    await using other = await testEngine({ workflows: { "/jobs/*": many } });
    expect(await (await other.trigger("/jobs/parent", { amount: 9 })).result()).toBe("invoice over 9");
  });

  it("asks its authorize hook, and reads the environment that the test gives", async () => {
    const kinds = new Set<string>();
    const reads = serve(async (context) => context.env.COLOUR, {
      authorize: ({ kind }) => {
        kinds.add(kind);
        return true;
      },
    });
    await using t = await testEngine({ env: { COLOUR: "red" }, workflows: { "/reads": reads } });
    expect(await (await t.trigger(reads, undefined)).result()).toBe("red");
    expect([...kinds]).toEqual(["resume"]);
  });

  it("starts runs by clients without settings, also from the test's own code", async () => {
    const client = new Client();
    const url = "https://app.perdure.test/order";
    const starts = serve(async (context) => {
      const started = await context.run("start", () => client.trigger({ url, body: { id: "2", card: "2" } }));
      return started.workflowRunId;
    });
    await using t = await testEngine({ workflows: { "/order": order, "/starts": starts } });
    const id = await (await t.trigger(starts, undefined)).result();
    expect(await t.run(id).result()).toEqual({ charge: "ch_2" });
    const { workflowRunId } = await t.inside(() => client.trigger({ url, body: { id: "3", card: "3" } }));
    await t.settle();
    expect(await t.run(workflowRunId).result()).toEqual({ charge: "ch_3" });
  });

  it("is refused when it is none, and answers 404 where nothing is served", async () => {
    await expect(testEngine({ workflows: { order } })).rejects.toThrow(
      'A workflow\'s path begins with a slash; got "order".',
    );
    await expect(testEngine({ workflows: { "/a": JSON.parse("{}") } })).rejects.toThrow(
      "The workflow at /a must be",
    );
    await using t = await testEngine({ workflows: { "/order": order } });
    const run = await t.trigger("/nothing", undefined, { retries: 0 });
    await expect(run.result()).rejects.toThrow(
      'testEngine serves nothing at /nothing. Its paths: /order. The workflows of serveMany need a path such as "/jobs/*".',
    );
    await expect(t.trigger(invoice, { amount: 1 })).rejects.toThrow(
      "Trigger a workflow of serveMany by its path.",
    );
    for (const options of ["{}", '{"workflows":null}', '{"workflows":{},"fakedate":true}'])
      await expect(testEngine(JSON.parse(options))).rejects.toThrow(TypeError);
    await t.close();
    await expect(t.trigger("/order")).rejects.toThrow("The test's engine is closed");
  });

  it("says so when it is a function that isn't one", async () => {
    const bare = (context: { run(name: string): unknown }) => context.run("a");
    const workflows = { "/bare": bare as never, "/number": (() => 1) as never };
    await using t = await testEngine({ workflows });
    for (const [path, what] of [
      ["/bare", "has thrown: context.run is not a function"],
      ["/number", "has returned no Response"],
    ]) {
      const run = await t.trigger(String(path), undefined, { retries: 0 });
      await expect(run.result()).rejects.toThrow(
        `The function at ${path} ${what}. A function in workflows must`,
      );
    }
  });
});

describe("engines", () => {
  it("share nothing, and run side by side", async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        await using t = await testEngine({ workflows: { "/order": order } });
        const run = await t.trigger(order, { id: `${at}`, card: "1" }, { workflowRunId: "same" });
        return (await run.result()).charge;
      }),
    );
    expect(results).toEqual(Array.from({ length: 20 }, (_, at) => `ch_${at}`));
  });

  it("carry many runs at once", async () => {
    await using t = await testEngine({ workflows: { "/order": order } });
    const runs = await Promise.all(
      Array.from({ length: 30 }, (_, at) => t.trigger(order, { id: `${at}`, card: "1" })),
    );
    const results = await Promise.all(runs.map((run) => run.result()));
    expect(results).toEqual(runs.map((_, at) => ({ charge: `ch_${at}` })));
  });
});
