import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failed, isFailure, START, type World, world } from "../harness.ts";

const tried = ({ calls }: World) => calls.filter((call) => !isFailure(call)).length;
const asking = (capabilities: string) => () => failed(500, "boom", { [HEADER.capabilities]: capabilities });

describe("the retries that an endpoint asks for all its runs", () => {
  it("are at most the engine's limit", async () => {
    const w = world(asking("1, retries=50, failureRetries=50, retryDelay=0"), { limits: { retries: 5 } });
    await w.start("wfr_1");
    await w.drain();
    expect([tried(w), w.calls.length]).toEqual([6, 12]);
  });

  it("hold for the report of a failure before which the endpoint never answered", async () => {
    const w = world((call) => {
      if (!isFailure(call)) throw new TypeError("connection refused");
      return asking("1, failureRetries=1, failureRetryDelay=5")();
    });
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await w.drain();
    const reports = w.calls.filter(isFailure);
    expect(reports.map(({ at }) => at - START)).toEqual([0, 5]);
  });

  it.each([
    ["an expression that isn't one", "1, retries=1, retryDelay=fork()", [0, 12_000]],
    ["a number that isn't one", "1, retries=-1, retryDelay=0", [0, 0, 0, 0]],
    ["an encoding that isn't one", "1, retries=1, retryDelay=%ZZ", [0, 12_000]],
  ])("are the usual ones in place of %s", async (_, capabilities, times) => {
    const w = world((call) => (isFailure(call) ? failed(500, "boom") : asking(capabilities)()));
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.filter((call) => !isFailure(call)).map(({ at }) => at - START)).toEqual(times);
  });
});
