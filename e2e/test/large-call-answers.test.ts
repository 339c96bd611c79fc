import type { WorkflowContext } from "@perdure/core";
import { expect, it } from "vitest";
import { perform, stage, useStage } from "./support/stage.ts";

useStage();

/** A record of it has eight times its size, more than an engine takes in a request and more than it sends with a delivery. */
const LARGE = '"'.repeat(1_500_000);

const CALLS: [string, (context: WorkflowContext, url: string) => Promise<number>][] = [
  ["alone", async (c, url) => (await c.call<string>("fetch", { url })).body.length],
  [
    "beside another step",
    async (c, url) => {
      const [answer] = await Promise.all([c.call<string>("fetch", { url }), c.run("work", () => 1)]);
      return answer.body.length;
    },
  ],
];
const MODES: [string, { inline?: false }][] = [
  ["inline", {}],
  ["one step a delivery", { inline: false }],
];

for (const [mode, options] of MODES) {
  it.each(CALLS)(`a large answer to a call reaches its run, ${mode}: %s`, async (_name, call) => {
    const url = stage.lab.at("/large", () => new Response(LARGE));
    let received = 0;
    const id = await perform(async (c) => {
      await c.run("before", () => 1);
      received = await call(c, url);
      await c.run("after", () => 1);
    }, options);
    const { workflowState, steps } = await stage.lab.run(id);
    expect({ workflowState, received }).toEqual({
      workflowState: "RUN_SUCCESS",
      received: LARGE.length,
    });
    const shown = steps.flatMap((group) => group.steps.map(({ stepName }) => stepName));
    expect(shown).toEqual(expect.arrayContaining(["before", "fetch", "after"]));
  });
}
