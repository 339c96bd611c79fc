import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { APP, isFailure, ofRun, START, type World, world } from "../harness.ts";
import { callStep, THIRD, to, waitStep, workflow } from "../steps.ts";

const OTHER = "https://other.test:8443/wf/two?x=1";

async function three(): Promise<World> {
  const w = world(workflow(waitStep("never")));
  await w.start("wfr_1", {
    [HEADER.label]: "red,blue",
    [HEADER.flowControlKey]: "k",
    [HEADER.flowControlValue]: "rate=9",
  });
  w.clock.advance(1000);
  await w.start("wfr_2", { [HEADER.label]: "blue" });
  w.clock.advance(1000);
  await w.ask("POST", "/v2/batch", {
    body: JSON.stringify([{ destination: OTHER, headers: ofRun("wfr_3", "true") }]),
  });
  await w.engine.idle();
  return w;
}

async function live(w: World): Promise<string[]> {
  const { body } = await w.ask("GET", "/v2/workflows/logs?state=RUN_STARTED&count=100");
  return body.runs.map((run: { workflowRunId: string }) => run.workflowRunId).sort();
}

describe("DELETE /v2/workflows/runs", () => {
  it.each([
    ["workflowRunIds=wfr_1&workflowRunIds=wfr_3", ["wfr_2"]],
    ["workflowRunIds=wfr_1,wfr_2&label=none", ["wfr_3"]],
    ["workflowRunIds=wfr_none", ["wfr_1", "wfr_2", "wfr_3"]],
    ["label=blue", ["wfr_3"]],
    ["label=red&label=green", ["wfr_2", "wfr_3"]],
    [`workflowUrl=${encodeURIComponent("https://app.test/")}`, ["wfr_3"]],
    [
      `workflowUrl=${encodeURIComponent("https://app.test/")}&workflowUrlExactMatch=true`,
      ["wfr_1", "wfr_2", "wfr_3"],
    ],
    [`workflowUrl=${encodeURIComponent(APP)}&workflowUrlExactMatch=true`, ["wfr_3"]],
    ["host=other.test:8443", ["wfr_1", "wfr_2"]],
    ["host=app.test&path=/wf", ["wfr_3"]],
    ["path=/wf/two", ["wfr_1", "wfr_2"]],
    ["path=/w", ["wfr_1", "wfr_2", "wfr_3"]],
    ["flowControlKey=k", ["wfr_2", "wfr_3"]],
    [`callerIp=127.0.0.1&toDate=${START}`, ["wfr_2", "wfr_3"]],
    [`fromDate=${START + 1000}`, ["wfr_1"]],
    ["count=1", ["wfr_1", "wfr_2"]],
    ["", []],
  ])("%s leaves %j", async (query, left) => {
    const w = await three();
    const { status, body } = await w.ask("DELETE", `/v2/workflows/runs?${query}`);
    expect([status, body]).toEqual([200, { cancelled: 3 - left.length }]);
    expect(await live(w)).toEqual(left);
    expect(w.events.filter((event) => event.type === "run.canceled")).toHaveLength(3 - left.length);
  });

  it.each([
    [{ workflowRunIds: ["wfr_2"] }, ["wfr_1", "wfr_3"]],
    [{ workflowUrl: "https://app.test" }, ["wfr_3"]],
    [{}, []],
  ])("takes what older clients say in a body: %j", async (selection, left) => {
    const w = await three();
    await w.ask("DELETE", "/v2/workflows/runs", { body: JSON.stringify(selection) });
    expect(await live(w)).toEqual(left);
  });

  it("takes a body as one condition more", async () => {
    const w = await three();
    await w.ask("DELETE", "/v2/workflows/runs?label=none", { body: "{}" });
    await w.ask("DELETE", "/v2/workflows/runs?label=none", { body: '{"workflowUrl":"https://app.test"}' });
    expect(await live(w)).toHaveLength(3);
  });

  it("refuses a filter that there isn't, and a body that it can't read", async () => {
    const w = await three();
    // Mistaken for nothing at all, these would mean every run.
    for (const body of ['{"workflowRunId":"wfr_1"}', '{"workflowUrl":5}', "[]", "null", '"wfr_1"']) {
      const answer = await w.ask("DELETE", "/v2/workflows/runs", { body });
      expect(answer).toMatchObject({ status: 400, body: { error: expect.any(String) } });
    }
    expect((await w.ask("DELETE", "/v2/workflows/runs?labl=blue")).status).toBe(400);
    expect((await w.ask("DELETE", "/v2/workflows/runs", { body: "{" })).status).toBe(400);
    expect((await w.ask("DELETE", "/v2/workflows/runs", { body: '{"workflowRunIds":"wfr_1"}' })).status).toBe(
      400,
    );
    expect(await live(w)).toHaveLength(3);
  });

  it("withdraws calls and waits, and tells no failure function", async () => {
    const w = world(async (call, self) => {
      if (call.url === THIRD) return new Response("late");
      return workflow(callStep({ options: { [HEADER.delay]: "1h" } }))(call, self);
    });
    await w.start("wfr_1");
    await w.engine.idle();
    await w.ask("DELETE", "/v2/workflows/runs?label=none");
    await w.ask("DELETE", "/v2/workflows/runs");
    await w.drain();
    expect(to(w, THIRD)).toEqual([]);
    expect(w.calls.filter(isFailure)).toEqual([]);
    expect(await w.deadLetters()).toEqual([]);
    const { workflowState, steps } = await w.run("wfr_1");
    expect(workflowState).toBe("RUN_CANCELED");
    expect(steps.at(-1).steps).toMatchObject([{ stepType: "Call", callUrl: THIRD, state: "STEP_CANCELED" }]);
  });
});
