import { type FailureBody, HEADER, NON_RETRYABLE_STATUS, parseFailure } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failing, NOT_AGAIN } from "../failing.ts";
import {
  type Call,
  decode,
  failed,
  historyOf,
  isFailure,
  ok,
  result,
  runIdOf,
  START,
  world,
} from "../harness.ts";

const reportOf = (calls: readonly Call[]): FailureBody => JSON.parse(calls.find(isFailure)?.text ?? "{}");

describe("a run that has failed", () => {
  it("is reported to its failure function with what there is to know", async () => {
    const w = world(failing(() => failed(500, "card declined", { "X-Trace": "t1" })));
    await w.start("wfr_1", {
      [HEADER.retries]: "1",
      [HEADER.retryDelay]: "0",
      "Upstash-Forward-X-Tenant": "acme",
    });
    await w.engine.idle();
    const report = reportOf(w.calls);
    const [letter] = await w.deadLetters("?source=workflow");
    expect(report).toMatchObject({
      status: 500,
      header: { "X-Trace": ["t1"] },
      retried: 1,
      maxRetries: 1,
      url: "https://app.test/wf",
      method: "POST",
      dlqId: letter.dlqId,
      sourceMessageId: letter.messageId,
      workflowRunId: "wfr_1",
      workflowCreatedAt: START,
      callerIP: "127.0.0.1",
      sourceHeader: { "X-Tenant": ["acme"] },
    });
    expect(parseFailure(JSON.stringify(report))).toMatchObject({
      failStatus: 500,
      failResponse: "card declined",
      payload: '{"order":1}',
    });
    const call = w.calls.find(isFailure);
    expect(Object.fromEntries(call?.headers ?? [])).toMatchObject({
      "content-type": "application/json",
      "upstash-workflow-runid": "wfr_1",
      "upstash-workflow-is-failure": "true",
      "upstash-workflow-failure-callback": "true",
      "upstash-workflow-createdat": String(START),
      "x-tenant": "acme",
    });
    expect(call?.headers.has(HEADER.sdkVersion)).toBe(false);
    expect(call?.headers.get(HEADER.messageId)).not.toBe(letter.messageId);
  });

  it("stands in the log and in the dead letter queue, with what the failure function answered", async () => {
    const w = world(failing(() => failed(500, "boom", { [HEADER.errorStepName]: "charge" })));
    await w.start("wfr_1", { [HEADER.retries]: "1", [HEADER.retryDelay]: "0", [HEADER.label]: "a,b" });
    await w.engine.idle();
    const [letter] = await w.deadLetters();
    expect(letter).toMatchObject({
      workflowRunId: "wfr_1",
      workflowUrl: "https://app.test/wf",
      responseStatus: 500,
      responseBody: '{"error":"Error","message":"boom"}',
      maxRetries: 1,
      labels: ["a", "b"],
      failureFunctionState: "CALLBACK_SUCCESS",
      failureCallbackInfo: {
        state: "CALLBACK_SUCCESS",
        responseStatus: 200,
        responseBody: '{"result":"released"}',
      },
    });
    expect(await w.run("wfr_1")).toMatchObject({
      workflowState: "RUN_FAILED",
      workflowRunCompletedAt: START,
      dlqId: letter.dlqId,
      failureFunction: {
        state: "CALLBACK_SUCCESS",
        failStatus: 500,
        failResponse: "boom",
        responseBody: '{"result":"released"}',
        responseStatus: 200,
        dlqId: letter.dlqId,
      },
      steps: [
        { type: "sequential" },
        { type: "sequential" },
        {
          type: "next",
          steps: [
            {
              messageId: letter.messageId,
              stepName: "charge",
              state: "STEP_FAILED",
              retries: 1,
              errors: [{ status: 500, time: START, error: "the endpoint answered 500" }, { status: 500 }],
            },
          ],
        },
      ],
    });
  });

  it("withdraws what else is pending of it, and takes no more records", async () => {
    const w = world(async (call, self) => {
      if (isFailure(call)) return ok();
      if (historyOf(call).length > 1) return failed(NON_RETRYABLE_STATUS, "no", NOT_AGAIN);
      const plan = { stepId: 0, stepType: "Run", concurrent: 2 } as const;
      await self.append(runIdOf(call), [
        { ...plan, stepName: "a", targetStep: 1 },
        { ...plan, stepName: "b", targetStep: 2, stepType: "SleepFor" },
      ]);
      return ok();
    });
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await w.append("wfr_1", [result(1, { concurrent: 2 })])).body.error).toContain(
      "has ended (RUN_FAILED)",
    );
    expect((await w.ask("GET", "/v2/workflows/runs/wfr_1")).status).toBe(404);
    await w.drain();
    expect(w.calls.filter(isFailure)).toHaveLength(1);
    const { steps } = await w.run("wfr_1");
    expect(steps[1]).toMatchObject({ type: "parallel" });
    expect(steps[1].steps.map((step: { state: string }) => step.state).sort()).toEqual([
      "STEP_CANCELED",
      "STEP_FAILED",
    ]);
  });

  it("stays failed when the endpoint ends it afterwards", async () => {
    const w = world(failing(() => failed(500, "boom")));
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await w.engine.idle();
    expect((await w.end("wfr_1")).status).toBe(200);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_FAILED");
  });

  it("carries the steps instead of the payload for those who didn't ask for the payload", async () => {
    const w = world(failing(() => failed(500, "boom")));
    await w.start("wfr_1", { [HEADER.retries]: "0", [HEADER.featureSet]: "LazyFetch" });
    await w.engine.idle();
    expect(JSON.parse(decode(reportOf(w.calls).sourceBody))).toHaveLength(2);
  });
});
