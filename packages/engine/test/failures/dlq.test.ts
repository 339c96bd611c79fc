import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failed, isFailure, ok, type World, world } from "../harness.ts";

const ONCE = { [HEADER.retries]: "0" };

/** A run whose failure function answers with these, one after the other. */
async function reported(...answers: Response[]): Promise<World> {
  const w = world((call) => (isFailure(call) ? (answers.shift() ?? ok("{}")) : failed(500, "boom")));
  await w.start("wfr_1", ONCE);
  await w.drain();
  return w;
}

const idOf = async (w: World): Promise<string> => (await w.deadLetters())[0].dlqId;

describe("the dead letter queue", () => {
  it("says when an entry failed, and when its message was made", async () => {
    const w = world((call) => (isFailure(call) ? ok("{}") : failed(500, "boom")));
    const begun = w.clock.now();
    const thrice = { [HEADER.retries]: "2", [HEADER.retryDelay]: "60000" };
    await w.start("wfr_1", thrice);
    await w.ask("POST", "/v2/publish/https://app.test/plain", { headers: thrice });
    await w.drain();
    const letters = await w.deadLetters();
    expect(letters).toHaveLength(2);
    for (const { failedAt, createdAt } of letters) {
      expect(createdAt).toBe(begun);
      expect(failedAt).toBe(begun + 120_000);
    }
  });

  it("shows and gives up single entries", async () => {
    const w = await reported();
    const id = await idOf(w);
    for (const path of [`/v2/dlq/${id}`, `/v2/workflows/dlq/${id}`]) {
      expect((await w.ask("GET", path)).body).toMatchObject({ dlqId: id, workflowRunId: "wfr_1" });
    }
    expect(await w.ask("DELETE", `/v2/workflows/dlq/${id}`)).toMatchObject({
      status: 200,
      body: { deleted: 1 },
    });
    for (const method of ["GET", "DELETE"]) {
      expect((await w.ask(method, `/v2/dlq/${id}`)).status).toBe(404);
    }
    const run = await w.run("wfr_1");
    expect(run).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_SUCCESS" },
    });
    expect(run).not.toHaveProperty("dlqId");
  });

  it("gives up many: by ids, by filters, by an old client's body", async () => {
    const w = world((call) => (isFailure(call) ? ok("{}") : failed(500, "boom")));
    for (const id of ["1", "2", "3", "4"]) {
      await w.start(`wfr_${id}`, { ...ONCE, [HEADER.label]: `l${id}` });
    }
    await w.ask("POST", "/v2/publish/https://app.test/plain", { headers: ONCE });
    await w.drain();
    const all = await w.deadLetters();
    const of = (run: string) => all.find((one) => one.workflowRunId === run).dlqId;
    expect((await w.ask("DELETE", "/v2/workflows/dlq?label=l1")).body).toEqual({ deleted: 1 });
    expect((await w.ask("DELETE", `/v2/workflows/dlq?dlqIds=${of("wfr_2")}&label=x`)).body).toEqual({
      deleted: 1,
    });
    const body = JSON.stringify({ dlqIds: [of("wfr_3"), "none"] });
    expect((await w.ask("DELETE", "/v2/dlq", { body })).body).toEqual({ deleted: 1 });
    expect((await w.ask("DELETE", "/v2/workflows/dlq?count=1")).body).toEqual({ deleted: 1 });
    expect((await w.ask("GET", "/v2/workflows/dlq")).body).toEqual({ messages: [] });
    expect(await w.deadLetters()).toHaveLength(1);
    expect((await w.ask("DELETE", "/v2/dlq")).body).toEqual({ deleted: 1 });
    expect((await w.ask("DELETE", "/v2/dlq")).body).toEqual({ deleted: 0 });
    expect((await w.ask("DELETE", "/v2/dlq", { body: "[]" })).status).toBe(400);
    expect((await w.ask("DELETE", "/v2/dlq", { body: "{" })).status).toBe(400);
  });

  it("of plain messages and of runs are told apart", async () => {
    const w = world(() => failed(500, "boom"));
    await w.ask("POST", "/v2/publish/https://app.test/plain", { headers: ONCE });
    await w.drain();
    const id = await idOf(w);
    for (const [method, path] of [
      ["GET", `/v2/workflows/dlq/${id}`],
      ["DELETE", `/v2/workflows/dlq/${id}`],
      ["POST", `/v2/workflows/dlq/resume/${id}`],
      ["POST", `/v2/workflows/dlq/callback/${id}`],
    ] as const) {
      expect((await w.ask(method, path)).status).toBe(404);
    }
    expect((await w.ask("GET", `/v2/dlq/${id}`)).status).toBe(200);
  });
});

describe("a failure function that failed", () => {
  it("is called again on request, with the same report", async () => {
    const w = await reported(failed(500, "not now"));
    const id = await idOf(w);
    const path = `/v2/workflows/dlq/callback/${id}`;
    expect((await w.run("wfr_1")).failureFunction.state).toBe("CALLBACK_FAIL");
    expect(await w.ask("POST", path)).toMatchObject({ status: 200, body: { workflowRunId: "wfr_1" } });
    await w.drain();
    const [first, second] = w.calls.filter(isFailure);
    expect(second?.text).toBe(first?.text);
    expect(second?.headers.get(HEADER.messageId)).not.toBe(first?.headers.get(HEADER.messageId));
    expect(await w.run("wfr_1")).toMatchObject({ failureFunction: { state: "CALLBACK_SUCCESS" } });
    expect(await w.ask("POST", path)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("CALLBACK_SUCCESS, not CALLBACK_FAIL") },
    });
    expect((await w.ask("POST", "/v2/workflows/dlq/callback/none")).status).toBe(404);
  });

  it("is called no more once that is canceled", async () => {
    const w = world((call) => failed(500, isFailure(call) ? "not now" : "boom"));
    await w.start("wfr_1", { [HEADER.retries]: "3", [HEADER.retryDelay]: "60000" });
    await w.drain();
    const again = world((call) => failed(500, isFailure(call) ? "not now" : "boom"));
    await again.start("wfr_1", { ...ONCE, "Upstash-Failure-Callback-Retries": "3" });
    await again.engine.idle();
    const path = `/v2/workflows/dlq/callback/${await idOf(again)}`;
    expect((await again.run("wfr_1")).failureFunction.state).toBe("CALLBACK_INPROGRESS");
    expect((await again.ask("DELETE", path)).status).toBe(200);
    await again.drain();
    expect(again.calls.filter(isFailure)).toHaveLength(1);
    expect((await again.run("wfr_1")).failureFunction.state).toBe("CALLBACK_CANCELED");
    expect((await again.ask("DELETE", path)).status).toBe(400);
    expect((await again.ask("POST", path)).status).toBe(200);
    await again.engine.idle();
    expect(again.calls.filter(isFailure)).toHaveLength(2);
  });
});
