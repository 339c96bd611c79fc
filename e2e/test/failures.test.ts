import type { RunLog } from "@perdure/core";
import { describe, expect, it, vi } from "vitest";
import { starts } from "./failures/starts.ts";
import { ways } from "./failures/ways.ts";
import { PAYLOAD, WORKFLOW, World } from "./failures/world.ts";

// Most of their time is spent waiting for each other.
vi.setConfig({ maxConcurrency: 32 });

const rows = Object.keys(ways).flatMap((way) => Object.keys(starts).map((start) => ({ way, start })));

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
