import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Lab } from "./support/lab.ts";

let lab: Lab;
let asked: string[];
beforeEach(async () => {
  lab = await Lab.start();
  asked = [];
  const send = globalThis.fetch;
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) => {
    const { pathname, search } = new URL(String(input));
    asked.push(`${init?.method} ${pathname}${search}`);
    return send(input, init);
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await lab.stop();
});

/** The requests that ask how a run is. */
const looks = () => asked.filter((one) => /\/wait|\/events|\/logs/.test(one));

/** Real requests take their time. */
const come = (about: () => unknown) => vi.waitUntil(about, { timeout: 60_000, interval: 5 });
const hasLooked = () => come(() => looks().length > 0);

/** Resolves when so many entries are on record. */
const recorded = (runId: string, entries: number) =>
  come(async () => (await (await lab.ask("GET", `/v2/workflows/runs/${runId}`)).json()).length >= entries);

describe("a client that waits for a run", () => {
  it("asks once, however many steps and seconds the run takes", async () => {
    const url = lab.serve(async (context) => {
      for (let at = 0; at < 5; at++) await context.run(`step ${at}`, () => at);
      await context.sleep("rest", "20s");
      return { paid: new Date(0) };
    });
    const order = { url, workflowRunId: "one" };
    const waiting = lab.client.trigger<{ paid: Date }>(order, { wait: { timeout: "1m" } });
    await recorded("wfr_one", 7);
    lab.clock.advance(20_000);
    const { result, deduplicated, workflowState } = await waiting;
    expect([result?.paid, deduplicated, workflowState]).toEqual([
      "1970-01-01T00:00:00.000Z",
      false,
      "RUN_SUCCESS",
    ]);
    expect(looks()).toHaveLength(1);
  });

  it("asks again when the engine's time is over", async () => {
    const url = lab.serve((context) => context.sleep("rest", "90d"));
    const waiting = lab.client.trigger({ url, workflowRunId: "one" }, { wait: true });
    await recorded("wfr_one", 2);
    await come(() => {
      lab.clock.advance(25_000);
      return looks().length > 1;
    });
    await lab.drain();
    expect((await waiting).workflowState).toBe("RUN_SUCCESS");
  });

  it("hears of a failure, and of what the failure function returned", async () => {
    const failureFunction = () => "told";
    const workflow = () => {
      throw new RangeError("too far");
    };
    const url = lab.serve(workflow, { failureFunction });
    const order = { url, retries: 0 };
    const waiting = lab.client.trigger([order, order], { wait: { failureFunction: "wait" } });
    for (const run of await waiting)
      expect(run).toMatchObject({
        workflowState: "RUN_FAILED",
        error: { name: "RangeError", message: "too far" },
        failureFunction: { state: "CALLBACK_SUCCESS", responseBody: expect.stringContaining("told") },
      });
    expect(looks()).toHaveLength(2);
  });

  it("waits for the rollbacks, too, where that is asked", async () => {
    const rolledBack: string[] = [];
    const url = lab.serve(
      async (context) => {
        await context.run("book", () => "seat", { rollback: () => void rolledBack.push("book") });
        throw new RangeError("too far");
      },
      { failureFunction: () => "told" },
    );
    const failureUrl = lab.at("/alarm", () => new Response("heard"));
    const waiting = lab.client.trigger(
      { url, retries: 0, failureUrl },
      { wait: { failureFunction: "wait" } },
    );
    const { rollbacks } = await waiting;
    expect(rolledBack).toEqual(["book"]);
    expect(rollbacks).toMatchObject([{ stepName: "book", state: "done" }]);
  });

  it("hears of a cancellation", async () => {
    const url = lab.serve((context) => context.sleep("rest", "1d"));
    const waiting = lab.client.trigger({ url, workflowRunId: "one" }, { wait: true });
    await hasLooked();
    await lab.client.cancel("wfr_one");
    expect((await waiting).workflowState).toBe("RUN_CANCELED");
  });

  it("goes on when the engine is started again", async () => {
    const url = lab.serve(async (context) => {
      await context.sleep("rest", "1m");
      return "late";
    });
    const waiting = lab.client.trigger<string>({ url, workflowRunId: "one" }, { wait: true });
    await recorded("wfr_one", 2);
    await lab.crash();
    await lab.drain();
    expect((await waiting).result).toBe("late");
  });
});
