import { serve } from "@perdure/core";
import { beforeEach, describe, expect, it } from "vitest";
import { type Fault, testEngine } from "../src/index.ts";

const effects: string[] = [];
beforeEach(() => void effects.splice(0));

const two = serve(async (context) => {
  const first = await context.run("first", () => effects.push("first"));
  const second = await context.run("second", () => effects.push("second"));
  return first + second;
});

const MODES = [
  ["inline", {}],
  ["one step a delivery", { inline: false }],
] as const;

describe.each(MODES)("a fault, %s:", (_mode, mode) => {
  it("a crash after the work repeats the step, since its result is lost", async () => {
    await using t = await testEngine({ ...mode, workflows: { "/two": two } });
    const run = await t.trigger(two, undefined);
    run.fault("second", "crash");
    await run.result();
    expect(effects).toEqual(["first", "second", "second"]);
    expect(run.steps[1]?.attempts).toMatchObject([{ error: expect.stringContaining("crashed") }, {}]);
  });

  it("a lost answer or a duplicate repeats no step that is on record", async () => {
    for (const fault of ["lose-answer", "duplicate"] satisfies Fault[]) {
      effects.splice(0);
      await using t = await testEngine({ ...mode, workflows: { "/two": two } });
      const run = await t.trigger(two, undefined);
      run.fault("first", fault);
      await run.result();
      // A delivery that runs both steps may have their records in its answer.
      if ("inline" in mode || fault === "duplicate")
        expect(
          effects.filter((name) => name === "second"),
          fault,
        ).toEqual(["second"]);
      expect(run.steps.map(({ name, state }) => [name, state])).toEqual([
        ["first", "done"],
        ["second", "done"],
      ]);
    }
  });

  it("a delay lets the other branch go first", async () => {
    const order: string[] = [];
    const branches = serve(async (context) => {
      const one = (name: string) => context.run(name, () => void order.push(name));
      await Promise.all([one("a"), one("b"), one("c")]);
      return "done";
    });
    await using t = await testEngine({ ...mode, workflows: { "/branches": branches } });
    const run = await t.trigger(branches, undefined);
    run.fault("a", "delay");
    expect(await run.result()).toBe("done");
    expect(order).toEqual(["b", "c", "a"]);
  });
});

it("that doesn't happen fails the test, and an unknown one is refused", async () => {
  await using t = await testEngine({ workflows: { "/two": two } });
  const run = await t.trigger(two, undefined);
  expect(() => run.fault("first", JSON.parse('"flood"'))).toThrow('There is no fault "flood"');
  run.fault("third", "crash");
  await expect(run.result()).rejects.toThrow('the fault "crash" of step "third" has not happened');
  await expect(t.close()).rejects.toThrow("has not happened");
});
