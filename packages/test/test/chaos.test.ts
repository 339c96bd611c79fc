import { serve, type WorkflowContext } from "@perdure/core";
import { expect, it } from "vitest";
import { assertReplays, ChaosError, ReplayError, testEngine } from "../src/index.ts";
import { approval, effects, order } from "./order.ts";

const payload = { id: "1", card: "4242" };

it("finds no difference in a workflow whose results are all in its steps", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const report = await t.chaos(order, payload, { seeds: 40 });
  expect(report.seeds).toBe(40);
  expect(report.faults).toBeGreaterThan(20);
  effects.splice(0);
});

it("sets up each run, also one that fails", async () => {
  const asks = serve(
    async (context: WorkflowContext<number>) => {
      const [rate, answer] = await Promise.all([
        context.run("rate", () => 2, { rollback: () => {} }),
        context.waitForEvent("ask", approval, { timeout: "1d" }),
      ]);
      if (context.requestPayload > 1) await context.run("fail", () => Promise.reject(new Error("no")));
      return [rate, answer.eventData?.ok];
    },
    { failureFunction: ({ failResponse }) => failResponse },
  );
  await using t = await testEngine({ workflows: { "/asks": asks } });
  const setup = async (run: { notify(event: string, data: unknown): Promise<void> }) => {
    await run.notify("approval", { ok: true });
  };
  for (const size of [1, 2]) await t.chaos(asks, size, { seeds: 20, setup });
});

it("shows the seed, the step and both histories where a workflow isn't deterministic", async () => {
  let calls = 0;
  const counts = serve(async (context) => {
    const base = await context.run("base", () => 1);
    const sum = await context.run("count", () => base + calls++ - calls);
    // Counts on each replay.
    return sum + (await context.run("again", () => calls++));
  });
  await using t = await testEngine({ workflows: { "/counts": counts } });
  const error = await t
    .chaos(counts, undefined, { seeds: 4, faults: ["crash"] })
    .catch((thrown: unknown) => thrown as ChaosError);
  expect(error).toBeInstanceOf(ChaosError);
  const [first] = error instanceof ChaosError ? error.differences : [];
  expect(first).toMatchObject({ step: "again", expected: expect.stringContaining("RUN_SUCCESS") });
  expect(String(error)).toMatch(
    /of 4 runs with faults end otherwise than the run without\. Seed \d+ \(.*\) differs at step "again"\./,
  );
});

it("finds a workflow that takes another way each time, at its first mismatch", async () => {
  let way = 0;
  const strays = serve(async (context) => {
    await context.run("first", () => 1);
    const name = way++ % 2 === 0 ? "heads" : "tails";
    await context.run(name, () => name);
    await context.run("last", () => 1);
    return "done";
  });
  await using t = await testEngine({ workflows: { "/strays": strays } });
  const error = await t.chaos(strays, undefined, { seeds: 100 }).catch((thrown: unknown) => thrown);
  expect(String(error)).toMatch(
    /^ChaosError: 5 of \d+ runs with faults end otherwise than the run without\. Seed \d+ \(.*\) differs at step ".*": .*(heads|tails)/,
  );
  expect(error).toMatchObject({ differences: { length: 5 } });

  const sleeps = serve(async (context) => {
    await context.run(`way ${way++}`, () => 1);
    await context.sleep("nap", 1);
  });
  await using other = await testEngine({ workflows: { "/sleeps": sleeps } });
  await expect(other.chaos(sleeps, undefined)).rejects.toThrow(
    "Without faults, the workflow's invocations differ: ",
  );
});

it("refuses options that aren't its own", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const refused = (options: string) => expect(t.chaos(order, payload, JSON.parse(options))).rejects;
  await refused('{"seed":3}').toThrow('Unknown option "seed" of chaos. The options are seeds');
  await refused('{"seeds":0}').toThrow("seeds must be a whole number from 1 on; got 0.");
  await refused('{"faults":["crsh"]}').toThrow('There is no fault "crsh".');
});

it("replays a history with the same code, in any state", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, payload);
  await run.until.waiting("wait for the van");
  await assertReplays(order, await run.history());
  await run.result();
  const history = await run.history();
  expect(history).toMatchObject({ perdureHistory: 1, workflowRunId: run.id, workflowState: "RUN_SUCCESS" });
  effects.splice(0);
  await assertReplays(order, JSON.stringify(history));
  expect(effects).toEqual([]);
});

it("finds a changed step, a new one, and another result", async () => {
  await using t = await testEngine({ workflows: { "/order": order } });
  const run = await t.trigger(order, payload);
  await run.result();
  const history = await run.history();
  const changed = (workflow: (context: WorkflowContext) => Promise<unknown>): Promise<unknown> =>
    assertReplays(serve(workflow), history).catch((error: unknown) => error);
  const charged = (context: WorkflowContext) =>
    context
      .run("charge", () => ({ id: "" }))
      .then(async ({ id }) => {
        await context.sleep("wait for the van", "2h");
        return id;
      });

  const renamed = await changed(async (context) => context.run("pay", () => 1));
  expect(renamed).toBeInstanceOf(ReplayError);
  expect(String(renamed)).toContain(
    `The workflow doesn't fit the history of the run ${run.id}. Recorded, not requested: 1 "charge" (Run), 2 "wait for the van" (SleepFor), 3 "ship" (Run). Requested, not recorded: "pay" (Run).`,
  );
  const added = await changed(async (context) => {
    const id = await charged(context);
    await context.run("ship", () => {});
    await context.run("thank", () => {});
    return { charge: id };
  });
  expect(String(added)).toContain('Recorded, not requested: none. Requested, not recorded: "thank" (Run).');
  const other = await changed(async (context) => {
    await charged(context);
    await context.run("ship", () => {});
    return { charge: "other" };
  });
  expect(String(other)).toContain(
    'It returns {"charge":"other"}, and the run has returned {"charge":"ch_1"}.',
  );
  const thrown = await changed(async (context) => {
    await charged(context);
    await context.run("ship", () => {});
    throw new Error("boom");
  });
  expect(String(thrown)).toContain("It throws: Error: boom");
  await expect(assertReplays(order, '{"perdureHistory":2}')).rejects.toThrow("got version 2");
});
