import { HEADER, NON_RETRYABLE_STATUS } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failing, NOT_AGAIN } from "../failing.ts";
import { failed, isFailure, ok, SDK, START, world } from "../harness.ts";

describe("the failure function", () => {
  const boom = (): Response => failed(NON_RETRYABLE_STATUS, "boom", NOT_AGAIN);

  it("is called again, with the same bytes, as often and when its own options say", async () => {
    const w = world(failing(boom, () => failed(500, "not now")));
    await w.start("wfr_1", {
      "Upstash-Failure-Callback": "https://app.test/failed",
      "Upstash-Failure-Callback-Retries": "2",
      "Upstash-Failure-Callback-Retry-Delay": "5000",
      "Upstash-Failure-Callback-Forward-X-Own": "1",
    });
    await w.drain();
    const reports = w.calls.filter(isFailure);
    expect(reports.map((call) => [call.url, call.at - START])).toEqual([
      ["https://app.test/failed", 0],
      ["https://app.test/failed", 5000],
      ["https://app.test/failed", 10_000],
    ]);
    expect(new Set(reports.map((call) => call.text)).size).toBe(1);
    expect(reports[0]?.headers.get("x-own")).toBe("1");
    expect(await w.run("wfr_1")).toMatchObject({
      failureFunction: {
        state: "CALLBACK_FAIL",
        maxRetries: 2,
        errors: [{ status: 500 }, { status: 500 }, { status: 500 }],
      },
    });
    expect(await w.deadLetters()).toHaveLength(1);
    expect(w.events.at(-1)).toMatchObject({
      type: "failure.reported",
      outcome: "failed",
      response: "not now",
    });
  });

  it("may return more than the engine keeps: the log has its beginning as JSON", async () => {
    const answer = () => ok(JSON.stringify({ result: { mails: Array(50).fill("ann@example.com") } }));
    const w = world(failing(boom, answer), { limits: { responseBytes: 200 } });
    await w.start("wfr_1");
    await w.drain();
    const { state, responseBody } = (await w.run("wfr_1")).failureFunction;
    expect(state).toBe("CALLBACK_SUCCESS");
    expect(JSON.parse(responseBody)).toEqual({
      result: expect.stringMatching(/^\{"mails":\["ann@.*… \[cut: the engine keeps 200 bytes\]$/),
    });
    expect((await w.deadLetters())[0].failureCallbackInfo).toMatchObject({ responseBody });
  });

  it("has the run's retries when it has none of its own", async () => {
    const w = world(failing(boom, () => failed(500, "not now")));
    await w.start("wfr_1", { [HEADER.retries]: "1", [HEADER.retryDelay]: "1000" });
    await w.drain();
    expect(w.calls.filter(isFailure).map((call) => call.at - START)).toEqual([0, 1000]);
  });

  it.each<[string, () => Response | Promise<Response>]>([
    ["isn't there", () => Promise.reject(new Error("ECONNREFUSED"))],
    ["is behind a proxy that says so", () => new Response("<h1>Bad gateway</h1>", { status: 502 })],
  ])("is tried three times more when its endpoint %s, also without retries", async (_name, nobody) => {
    let away = true;
    const w = world(failing(boom, () => (away ? nobody() : failed(500, "not now"))));
    await w.start("wfr_1", { [HEADER.retries]: "0", [HEADER.retryDelay]: "1000" });
    await w.drain();
    expect(w.calls.filter(isFailure).map((call) => call.at - START)).toEqual([0, 1000, 2000, 3000]);
    expect((await w.run("wfr_1")).failureFunction.state).toBe("CALLBACK_FAIL");
    away = false;
    await w.ask("POST", `/v2/workflows/dlq/callback/${(await w.deadLetters())[0].dlqId}`);
    await w.drain();
    // It has had its say, and failed by itself.
    expect(w.calls.filter(isFailure)).toHaveLength(5);
  });

  it("stops when it says so", async () => {
    const w = world(failing(boom, boom));
    await w.start("wfr_1");
    await w.drain();
    expect(w.calls.filter(isFailure)).toHaveLength(1);
    expect((await w.deadLetters("?failureFunctionState=CALLBACK_FAIL"))[0].workflowRunId).toBe("wfr_1");
  });

  it("waits when it says so", async () => {
    let first = true;
    const w = world(
      failing(boom, () => {
        const answer = first ? failed(429, "later", { "Retry-After": "60" }) : ok('{"result":1}');
        first = false;
        return answer;
      }),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    const { failureFunction } = await w.run("wfr_1");
    expect(failureFunction).toMatchObject({ state: "CALLBACK_INPROGRESS", nextDeliveryTime: START + 60_000 });
    await w.drain();
    expect((await w.run("wfr_1")).failureFunction.state).toBe("CALLBACK_SUCCESS");
  });

  it("that isn't there is on record as none", async () => {
    const w = world(
      failing(boom, () => new Response("{}", { headers: { ...SDK, [HEADER.noFailureFunction]: "true" } })),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    const [letter] = await w.deadLetters();
    expect(letter).not.toHaveProperty("failureCallbackInfo");
    expect(await w.run("wfr_1")).not.toHaveProperty("failureFunction");
    expect(await w.deadLetters("?failureFunctionState=CALLBACK_SUCCESS")).toEqual([]);
    expect(w.events.at(-1)).toMatchObject({ type: "failure.reported", outcome: "unhandled" });
  });
});
