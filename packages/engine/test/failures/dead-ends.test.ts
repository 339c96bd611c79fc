import { type FailureBody, HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { type Call, decode, historyOf, isFailure, ok, runIdOf, until, world } from "../harness.ts";

const reportOf = (calls: readonly Call[]): FailureBody => JSON.parse(calls.find(isFailure)?.text ?? "{}");

describe("a run that can't go on", () => {
  it("because nobody answers is told so in words", async () => {
    const w = world((call) => {
      if (isFailure(call)) return ok();
      throw new TypeError("connect ECONNREFUSED 127.0.0.1:1");
    });
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await w.engine.idle();
    const report = reportOf(w.calls);
    expect([report.status, decode(report.body)]).toEqual([0, "connect ECONNREFUSED 127.0.0.1:1"]);
    const [letter] = await w.deadLetters("?responseStatus=0");
    expect(letter).toMatchObject({ responseStatus: 0, error: "connect ECONNREFUSED 127.0.0.1:1" });
  });

  it("because its endpoint is no workflow fails without retries", async () => {
    const w = world(() => new Response("hello", { status: 200 }));
    await w.start("wfr_1");
    await w.engine.idle();
    const { workflowState, steps } = await w.run("wfr_1");
    expect(workflowState).toBe("RUN_FAILED");
    expect(steps).toMatchObject([
      { type: "sequential", steps: [{ stepType: "Initial", state: "STEP_SUCCESS" }] },
      {
        type: "next",
        steps: [
          {
            state: "STEP_FAILED",
            errors: [
              {
                error: expect.stringContaining("detected a non-workflow destination"),
                body: "hello",
                status: 200,
              },
            ],
          },
        ],
      },
    ]);
    expect(decode(reportOf(w.calls).body)).toContain("detected a non-workflow destination");
  });

  it("because its endpoint leaves it with nothing to do fails as stalled", async () => {
    const w = world((call) => (isFailure(call) ? ok() : ok("fine")));
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_FAILED");
    expect(decode(reportOf(w.calls).body)).toContain("the run has stalled: the endpoint answered 200");
    expect((await w.deadLetters())[0]).toMatchObject({ responseStatus: 200, responseBody: "fine" });
  });

  it("is not stalled while another of its deliveries is under way", async () => {
    let release: (() => void) | undefined;
    const w = world(async (call, self) => {
      if (historyOf(call).length === 1) {
        const plan = { stepId: 0, stepType: "Run", concurrent: 2 } as const;
        await self.append(runIdOf(call), [
          { ...plan, stepName: "a", targetStep: 1 },
          { ...plan, stepName: "b", targetStep: 2 },
        ]);
      } else if (call.text.length > 0 && historyOf(call).length === 2) {
        await new Promise<void>((resolve) => (release = resolve));
        await self.end(runIdOf(call));
      }
      return ok();
    });
    await w.start("wfr_1");
    await until(
      () => w.events.filter((event) => event.type === "delivered").length === 2 && release !== undefined,
    );
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_STARTED");
    release?.();
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });
});

describe("a plain message that fails for good", () => {
  it("enters the dead letter queue, and is reported where it was asked for", async () => {
    const w = world((call) => (call.url.endsWith("/f") ? ok() : new Response("nope", { status: 418 })));
    const { body } = await w.ask("POST", "/v2/publish/https://app.test/x?q=1", {
      headers: {
        [HEADER.retries]: "0",
        "Content-Type": "text/plain",
        "Upstash-Forward-X-A": "1",
        [HEADER.failureCallback]: "https://app.test/f",
        "Upstash-Failure-Callback-Method": "PUT",
      },
      body: "hi",
    });
    await w.engine.idle();
    const [letter] = await w.deadLetters(`?messageId=${body.messageId}`);
    expect(letter).toMatchObject({
      url: "https://app.test/x?q=1",
      body: "hi",
      header: { "X-A": ["1"], "Content-Type": ["text/plain"] },
      responseStatus: 418,
      responseBody: "nope",
      failureCallback: "https://app.test/f",
      failureCallbackInfo: { state: "CALLBACK_SUCCESS" },
    });
    expect(letter).not.toHaveProperty("workflowRunId");
    const report = w.calls[1];
    expect(report?.method).toBe("PUT");
    expect(JSON.parse(report?.text ?? "")).toMatchObject({
      status: 418,
      sourceBody: Buffer.from("hi").toString("base64"),
      dlqId: letter.dlqId,
    });
    expect(report?.headers.has(HEADER.isFailure)).toBe(false);
    w.clock.advance(60_000);
    expect((await w.ask("GET", `/v2/messages/${body.messageId}`)).status).toBe(404);
    expect(await w.deadLetters("?source=workflow")).toEqual([]);
  });

  it("is reported to nobody otherwise", async () => {
    const w = world(() => new Response("nope", { status: 500 }));
    await w.ask("POST", "/v2/publish/https://app.test/x", { headers: { [HEADER.retries]: "0" } });
    await w.drain();
    expect(w.calls).toHaveLength(1);
    expect((await w.deadLetters())[0]).not.toHaveProperty("failureCallback");
  });
});
