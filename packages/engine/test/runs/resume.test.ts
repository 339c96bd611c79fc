import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { afterSteps, fragile, ONCE, revive } from "../failing.ts";
import { decode, failed, historyOf, isFailure, runIdOf, START, world } from "../harness.ts";
import { recordsOf, runStep, waitStep, workflow } from "../steps.ts";

describe("a failed run", () => {
  it("is resumed where it failed: what is recorded stays, and only the failed delivery is made again", async () => {
    const flaky = fragile(workflow(runStep, runStep, runStep), afterSteps(2));
    const w = world(flaky.endpoint);
    await w.start("wfr_1", { ...ONCE, "Upstash-Forward-X-User": "u" }, "payload");
    await w.drain();
    const before = w.calls.length;
    flaky.broken = false;
    w.clock.advance(1000);
    const id = await revive(w);
    await w.drain();
    const calls = w.calls.slice(before);
    expect(calls.map((call) => [runIdOf(call), recordsOf(call).map(({ stepId }) => stepId)])).toEqual([
      [id, [1, 2]],
      [id, [1, 2, 3]],
    ]);
    const [first] = calls;
    expect(first?.headers.get("x-user")).toBe("u");
    expect(first?.headers.get(HEADER.retried)).toBe("0");
    expect(first?.headers.get(HEADER.createdAt)).toBe(String(START + 1000));
    expect(historyOf(first as never).at(-1)?.messageId).toBe(first?.headers.get(HEADER.messageId));
    expect(decode(historyOf(first as never)[0]?.body ?? "")).toBe("payload");
    expect((await w.run(id)).workflowState).toBe("RUN_SUCCESS");
    expect(await w.deadLetters()).toEqual([]);
    const old = await w.run("wfr_1");
    expect(old).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_SUCCESS" },
    });
    expect(old).not.toHaveProperty("dlqId");
  });

  it("has the same ids in a delivery and in the history that is fetched", async () => {
    const flaky = fragile(workflow(runStep, waitStep("never")), afterSteps(1));
    const w = world(flaky.endpoint);
    await w.start("wfr_1", ONCE);
    await w.drain();
    const old = historyOf(w.calls.at(-2) as never).map(({ messageId }) => messageId);
    flaky.broken = false;
    const id = await revive(w);
    await w.engine.idle();
    const { body } = await w.ask("GET", `/v2/workflows/runs/${id}`);
    expect(body).toEqual(historyOf(w.calls.at(-1) as never));
    for (const { messageId } of body) expect(old).not.toContain(messageId);
  });

  it("is restarted from its payload, with what the request says to be different", async () => {
    const flaky = fragile(workflow(runStep), afterSteps(1));
    const w = world(flaky.endpoint);
    await w.start("wfr_1", ONCE, "payload");
    await w.drain();
    const before = w.calls.length;
    const id = await revive(w, "restart", {
      [HEADER.retries]: "1",
      [HEADER.retryDelay]: "5000",
      [HEADER.label]: "again",
      [HEADER.delay]: "10s",
      [HEADER.failureCallback]: "https://app.test/failed",
    });
    await w.drain();
    const calls = w.calls.slice(before);
    expect(
      calls.map((call) => [call.at - START, isFailure(call) ? call.url : historyOf(call).length]),
    ).toEqual([
      [10_000, 1],
      [10_000, 2],
      [15_000, 2],
      [15_000, "https://app.test/failed"],
    ]);
    expect(await w.run(id)).toMatchObject({ workflowState: "RUN_FAILED", labels: ["again"] });
    expect(await w.deadLetters()).toMatchObject([{ workflowRunId: id, maxRetries: 1 }]);
  });

  it("can be one of many, page by page", async () => {
    const flaky = fragile(workflow(runStep), afterSteps(0));
    const w = world(flaky.endpoint);
    for (const id of ["wfr_1", "wfr_2", "wfr_3"]) await w.start(id, ONCE);
    await w.drain();
    flaky.broken = false;
    const one = await w.ask("POST", "/v2/workflows/dlq/resume?count=2");
    expect(one.body.workflowRuns).toHaveLength(2);
    const two = await w.ask("POST", `/v2/workflows/dlq/restart?count=2&cursor=${one.body.cursor}`);
    expect(two.body).toMatchObject({ workflowRuns: [{}], cursor: "" });
    expect((await w.ask("POST", "/v2/workflows/dlq/resume?label=none")).body).toEqual({
      workflowRuns: [],
      cursor: "",
    });
    await w.drain();
    expect((await w.ask("GET", "/v2/workflows/logs?state=RUN_SUCCESS")).body.runs).toHaveLength(3);
  });

  it("is found by its entry's id alone, once", async () => {
    const w = world(() => failed(500, "x"));
    await w.start("wfr_1", ONCE);
    await w.drain();
    const [{ dlqId }] = await w.deadLetters();
    const path = `/v2/workflows/dlq/resume/${dlqId}`;
    expect((await w.ask("POST", path)).body).toMatchObject({ workflowRunId: expect.any(String) });
    expect((await w.ask("POST", path)).status).toBe(404);
    expect((await w.ask("POST", "/v2/workflows/dlq/restart/none")).status).toBe(404);
    expect(
      (await w.ask("POST", "/v2/workflows/dlq/resume", { headers: { [HEADER.retries]: "x" } })).status,
    ).toBe(400);
  });
});
