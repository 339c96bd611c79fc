import type { RunLog } from "@perdure/core";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { sampled } from "@perdure/test-support/sample";
import { afterAll, describe, expect, it, vi } from "vitest";
import { starts } from "./failures/starts.ts";
import { ways } from "./failures/ways.ts";
import { PAYLOAD, type Way, WORKFLOW, World } from "./failures/world.ts";

// Most of their time is spent waiting for each other.
vi.setConfig({ maxConcurrency: ON_POSTGRES ? 8 : 32 });
afterAll(() => vi.resetConfig());

// A start and a failure depend on each other by the rules, which both stores share: on PostgreSQL, each way has one start.
const product = Object.keys(ways).flatMap((way, at) =>
  Object.keys(starts)
    .filter((_, index, { length }) => !ON_POSTGRES || index === at % length)
    .map((start) => ({ way, start })),
);
const rows = sampled(product, 5, ["way", "start"]);

async function stateOf({ client }: World): Promise<{ run: RunLog | undefined; letters: object[] }> {
  const { runs } = await client.logs({ filter: { workflowUrl: WORKFLOW } });
  const { messages } = await client.dlq.list({ filter: { workflowUrl: WORKFLOW } });
  expect(runs).toHaveLength(1);
  return { run: runs[0], letters: messages };
}

describe("the failure function runs, once, and knows everything", () => {
  it.concurrent.each(rows)("$way, started by $start", async ({ way, start }) => {
    const make = ways[way] as (typeof ways)[string];
    const how = starts[start] as (typeof starts)[string];
    const world = await World.start(make, { open: how.open ?? false });
    await how.start(world);
    await world.drain();

    expect(world.told).toHaveLength(1);
    expect(world.told[0]).toMatchObject(make().told);
    const { run, letters } = await stateOf(world);
    const { dlqId, failureId, context } = world.told[0] ?? {};
    expect(context).toMatchObject({
      requestPayload: PAYLOAD,
      url: WORKFLOW,
      workflowRunId: run?.workflowRunId,
    });
    expect(run).toMatchObject({
      workflowState: "RUN_FAILED",
      dlqId,
      failureFunction: { state: "CALLBACK_SUCCESS", responseBody: '{"result":"noted"}' },
    });
    expect(failureId).toBeTruthy();
    expect(letters).toMatchObject([
      {
        dlqId,
        workflowRunId: run?.workflowRunId,
        failureFunctionState: "CALLBACK_SUCCESS",
        failureCallbackInfo: { state: "CALLBACK_SUCCESS", responseBody: '{"result":"noted"}' },
      },
    ]);
    const { toldOfChild } = make();
    expect(world.toldOthers).toMatchObject(
      toldOfChild ? [{ ...toldOfChild, context: { requestPayload: "for the child" } }] : [],
    );
    await how.check?.(world);
    await world.stop();
  });
});

describe("the failure function is told until it has heard", () => {
  it.concurrent.each(sampled(Object.keys(ways), 2))(
    "of %s: the same bytes and id, until a resume",
    async (way) => {
      const make = ways[way] as (typeof ways)[string];
      let deaf = true;
      const onFailure = () => {
        deaf = !deaf;
        if (!deaf) throw new Error("come again");
      };
      const world = await World.start(make, { onFailure });
      await starts["client.trigger"]?.start(world);
      await world.drain();
      expect(world.bodies).toHaveLength(2);
      expect(world.bodies[1]).toBe(world.bodies[0]);
      const [first, second] = world.told;
      expect(second?.failureId).toBe(first?.failureId);
      expect(second?.failStack).toBe(first?.failStack);

      const { workflowRuns } = await world.client.dlq.resume(first?.dlqId ?? "");
      await world.drain();
      expect(world.told).toHaveLength(4);
      const [, , third, fourth] = world.told;
      expect(third).toMatchObject({
        ...make().told,
        context: { workflowRunId: workflowRuns[0]?.workflowRunId },
      });
      expect(third?.failureId).not.toBe(first?.failureId);
      expect(fourth?.failureId).toBe(third?.failureId);
      expect(world.bodies[3]).toBe(world.bodies[2]);
      await world.stop();
    },
  );
});

describe("a run's own time", () => {
  const sleeper = (): Way => ({ workflow: (context) => context.sleep("a day", "1d"), told: {} });
  const soon = "the run has not ended within 30 s of its start";

  it.each<[string, (world: World) => Promise<unknown>]>([
    ["trigger", ({ client }) => client.trigger({ url: WORKFLOW, timeout: 30 })],
    [
      "a schedule",
      async (world) => {
        const { client, clock } = world;
        const { scheduleId } = await client.schedules.create({
          url: WORKFLOW,
          cron: "* * * * *",
          timeout: "30s",
        });
        clock.advance(60_000);
        await world.idle();
        await client.schedules.delete(scheduleId);
      },
    ],
  ])("is said by %s, which wins over the endpoint", async (_name, start) => {
    const world = await World.start(() => ({ ...sleeper(), options: { timeout: "1h" } }));
    await start(world);
    await world.drain();
    expect(world.told).toMatchObject([{ failResponse: soon }]);
    await world.stop();
  });

  it("also ends a run that hasn't been delivered yet", async () => {
    const world = await World.start(sleeper);
    await world.client.trigger({ url: WORKFLOW, timeout: 30, delay: "1h" });
    await world.drain();
    expect(world.told).toMatchObject([{ failResponse: soon, steps: [] }]);
    await world.stop();
  });
});
