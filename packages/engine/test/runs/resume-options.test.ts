import { HEADER, NON_RETRYABLE_STATUS } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { NOT_AGAIN, ONCE, revive } from "../failing.ts";
import { failed, isFailure, ok, SDK, START, type World, world } from "../harness.ts";

/** A run that has failed, and whose failure function has been told as its trigger said. */
async function failedRun(
  trigger: Record<string, string>,
  endpoint = () => failed(500, "boom"),
): Promise<World> {
  const w = world((call) => (isFailure(call) ? failed(500, "not now") : endpoint()));
  await w.start("wfr_1", { ...ONCE, ...trigger });
  await w.drain();
  w.calls.splice(0);
  return w;
}

describe("a run that is taken up again", () => {
  it("can have other options for its failure function, and keeps the rest of them", async () => {
    const w = await failedRun({
      [HEADER.failureCallback]: "https://app.test/failed",
      "Upstash-Failure-Callback-Retries": "0",
      "Upstash-Failure-Callback-Forward-X-Own": "1",
    });
    const now = w.clock.now();
    await revive(w, "resume", {
      "Upstash-Failure-Callback-Retries": "2",
      "Upstash-Failure-Callback-Retry-Delay": "5000",
    });
    await w.drain();
    expect(w.calls.filter(isFailure).map(({ url, at }) => [url, at - now])).toEqual([
      ["https://app.test/failed", 0],
      ["https://app.test/failed", 5000],
      ["https://app.test/failed", 10_000],
    ]);
    expect(w.calls.filter(isFailure)[0]?.headers.get("x-own")).toBe("1");
  });

  it("can have some for the first time", async () => {
    const w = await failedRun({});
    await revive(w, "restart", { "Upstash-Failure-Callback-Retries": "1", [HEADER.retries]: "0" });
    await w.drain();
    expect(w.calls.filter(isFailure).map(({ url }) => url)).toEqual([
      "https://app.test/wf",
      "https://app.test/wf",
    ]);
  });

  it("can have other headers, and keeps those that aren't named", async () => {
    const w = await failedRun({ "Upstash-Forward-X-Tenant": "acme", "Upstash-Forward-X-Try": "1" });
    await revive(w, "resume", { "Upstash-Forward-X-Try": "2" });
    await w.drain();
    for (const { headers } of w.calls.filter((call) => !isFailure(call)))
      expect([headers.get("x-tenant"), headers.get("x-try")]).toEqual(["acme", "2"]);
  });

  it("has the whole of its time once more, or another one", async () => {
    const waiting = (): Response => new Response("{}", { headers: SDK });
    for (const [override, lifetime] of [
      [{}, 60_000],
      [{ [HEADER.runTimeout]: "2m" }, 120_000],
    ] as const) {
      const w = await failedRun({ [HEADER.runTimeout]: "1m", [HEADER.delay]: "2m" }, waiting);
      expect((await w.run("wfr_1")).workflowRunCompletedAt).toBe(START + 60_000);
      const now = w.clock.now();
      const id = await revive(w, "restart", { ...override, [HEADER.delay]: "5m" });
      await w.drain();
      const [letter] = await w.deadLetters();
      expect(letter.error).toBe(`the run has not ended within ${lifetime / 1000} s of its start`);
      expect((await w.run(id)).workflowRunCompletedAt).toBe(now + lifetime);
    }
  });

  it("is refused with a time that isn't one", async () => {
    const w = await failedRun({});
    const [letter] = await w.deadLetters();
    const path = `/v2/workflows/dlq/resume/${letter.dlqId}`;
    const answer = await w.ask("POST", path, { headers: { [HEADER.runTimeout]: "soon" } });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining(HEADER.runTimeout) },
    });
    expect(await w.deadLetters()).toHaveLength(1);
  });
});

describe("failure functions that have failed", () => {
  it("are called again by a filter, all that match", async () => {
    let good = false;
    const w = world((call) => {
      if (!isFailure(call)) return failed(NON_RETRYABLE_STATUS, "boom", NOT_AGAIN);
      return good ? ok('{"result":1}') : failed(NON_RETRYABLE_STATUS, "no", NOT_AGAIN);
    });
    for (const [at, label] of ["a", "b", "a"].entries())
      await w.start(`wfr_${at}`, { [HEADER.label]: label });
    await w.drain();
    good = true;
    const again = (query: string) => w.ask("POST", `/v2/workflows/dlq/callback${query}`);
    const { status, body } = await again("?label=a");
    expect(status).toBe(200);
    expect(body.workflowRuns.map((run: { workflowRunId: string }) => run.workflowRunId).sort()).toEqual([
      "wfr_0",
      "wfr_2",
    ]);
    await w.drain();
    const states = (await w.deadLetters()).map((one) => [one.workflowRunId, one.failureFunctionState]);
    expect(Object.fromEntries(states)).toEqual({
      wfr_0: "CALLBACK_SUCCESS",
      wfr_1: "CALLBACK_FAIL",
      wfr_2: "CALLBACK_SUCCESS",
    });
    const ids = (await w.deadLetters()).map((one) => `dlqIds=${one.dlqId}`).join("&");
    expect((await again(`?${ids}`)).body.workflowRuns).toMatchObject([{ workflowRunId: "wfr_1" }]);
  });
});
