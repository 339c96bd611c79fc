import { HEADER, NON_RETRYABLE_STATUS } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failing, NOT_AGAIN } from "../failing.ts";
import { failed, isFailure, START, sequence, world } from "../harness.ts";

describe("a delivery that fails", () => {
  it("is made again with the same id and body, after the default backoff", async () => {
    const w = world(failing(() => failed(500, "boom")));
    await w.start("wfr_1");
    await w.drain();
    const tries = w.calls.filter((call) => !isFailure(call)).slice(1);
    expect(tries.map((call) => call.at - START)).toEqual([0, 12_000, 160_000, 1_968_000]);
    expect(tries.map((call) => call.headers.get(HEADER.retried))).toEqual(["0", "1", "2", "3"]);
    expect(new Set(tries.map((call) => call.headers.get(HEADER.messageId))).size).toBe(1);
    expect(new Set(tries.map((call) => call.text)).size).toBe(1);
  });

  it("is made again when the run's expression says", async () => {
    const w = world(failing(() => failed(500, "boom")));
    await w.start("wfr_1", { [HEADER.retries]: "2", [HEADER.retryDelay]: "1000 * (1 + retried)" });
    await w.drain();
    expect(w.calls.slice(1, 4).map((call) => call.at - START)).toEqual([0, 1000, 3000]);
  });

  it("is made again when the answer says", async () => {
    const w = world(failing(() => failed(429, "later", { "Retry-After": "90" })));
    await w.start("wfr_1", { [HEADER.retries]: "1", [HEADER.retryDelay]: "1" });
    await w.drain();
    expect(w.calls.slice(1, 3).map((call) => call.at - START)).toEqual([0, 90_000]);
  });

  it("and then doesn't leaves no trace in the result", async () => {
    let left = 2;
    const good = sequence(1);
    const w = world((call, self) => (left-- > 0 ? failed(503, "warming up") : good(call, self)));
    await w.start("wfr_1", { [HEADER.retryDelay]: "0" });
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
    expect(w.events.filter((event) => event.type === "retrying")).toMatchObject([
      { attempt: 1, error: "warming up", wait: 0, status: 503 },
      { attempt: 2 },
    ]);
  });

  it.each([
    [NON_RETRYABLE_STATUS, NOT_AGAIN, 1],
    [400, NOT_AGAIN, 1],
    [413, NOT_AGAIN, 1],
    [NON_RETRYABLE_STATUS, {}, 2],
    [400, {}, 2],
    [500, NOT_AGAIN, 2],
    [302, {}, 2],
  ])("with %i and %j is tried %i times", async (status, headers, times) => {
    const w = world(failing(() => failed(status, "no", headers)));
    await w.start("wfr_1", { [HEADER.retries]: "1", [HEADER.retryDelay]: "0" });
    await w.engine.idle();
    expect(w.calls.filter((call) => !isFailure(call))).toHaveLength(1 + times);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_FAILED");
  });
});
