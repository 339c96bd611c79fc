import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failed, historyOf, isFailure, ok, result, runIdOf, START, sequence, world } from "../harness.ts";

const plan = { stepId: 0, stepType: "Run", concurrent: 2 } as const;
describe("the log of a run", () => {
  it("shows a finished one in full", async () => {
    const w = world(sequence(2));
    const { body } = await w.start("wfr_1", {
      [HEADER.label]: "a,b",
      [HEADER.retries]: "5",
      [HEADER.retryDelay]: "1000",
      "Upstash-Forward-X-A": "1",
    });
    await w.engine.idle();
    const common = {
      callType: "step",
      concurrent: 1,
      createdAt: START,
      headers: { "X-A": ["1"] },
      messageId: expect.stringMatching(/^msg_/),
      retries: 5,
      retryDelay: "1000",
      state: "STEP_SUCCESS",
    };
    expect(await w.run("wfr_1")).toEqual({
      workflowRunId: "wfr_1",
      workflowUrl: "https://app.test/wf",
      workflowState: "RUN_SUCCESS",
      workflowRunCreatedAt: START,
      workflowRunCompletedAt: START,
      workflowRunCallerIp: "127.0.0.1",
      workflowRunResponse: '"all done"',
      label: "a",
      labels: ["a", "b"],
      steps: [
        {
          type: "sequential",
          steps: [
            {
              ...common,
              messageId: body[0].messageId,
              stepName: "init",
              stepType: "Initial",
              out: '{"order":1}',
            },
          ],
        },
        {
          type: "sequential",
          steps: [{ ...common, stepId: 1, stepName: "step1", stepType: "Run", out: '"r1"' }],
        },
        {
          type: "sequential",
          steps: [{ ...common, stepId: 2, stepName: "step2", stepType: "Run", out: '"r2"' }],
        },
      ],
    });
  });

  it("shows what is next", async () => {
    const w = world(async (call, self) => {
      if (historyOf(call).length > 1) return failed(500, "boom", { [HEADER.errorStepName]: "second" });
      await self.append(runIdOf(call), [result(1, { stepType: "SleepFor", sleepFor: 60 })], {
        [HEADER.delay]: "60s",
      });
      return ok();
    });
    await w.start("wfr_1");
    await w.engine.idle();
    const next = async (): Promise<object> => (await w.run("wfr_1")).steps.at(-1);
    expect((await w.run("wfr_1")).steps[1]).toMatchObject({
      steps: [{ sleepFor: 60, stepType: "SleepFor" }],
    });
    expect(await next()).toEqual({
      type: "next",
      steps: [
        {
          messageId: expect.any(String),
          state: "STEP_PROGRESS",
          retries: 3,
          nextDeliveryTime: START + 60_000,
        },
      ],
    });
    await w.drain(START + 60_000);
    expect(await next()).toMatchObject({
      steps: [
        {
          stepName: "second",
          state: "STEP_RETRY",
          nextDeliveryTime: START + 72_000,
          errors: [
            {
              status: 500,
              time: START + 60_000,
              body: '{"error":"Error","message":"boom"}',
              headers: { "Upstash-Workflow-Sdk-Version": ["1"] },
            },
          ],
        },
      ],
    });
  });

  it("shows a parallel group as one, with the branches as they stand", async () => {
    const w = world(async (call, self) => {
      if (isFailure(call)) return ok();
      const entries = historyOf(call);
      const record = JSON.parse(Buffer.from(entries.at(-1)?.body ?? "", "base64").toString());
      if (entries.length === 1) {
        const sleeping = {
          ...plan,
          stepName: "nap",
          targetStep: 2,
          stepType: "SleepFor",
          sleepFor: 60,
        } as const;
        await self.append(runIdOf(call), [{ ...plan, stepName: "work", targetStep: 1 }]);
        await self.append(runIdOf(call), [sleeping], { [HEADER.delay]: "60s" });
      } else if (record.targetStep === 1) {
        await self.append(runIdOf(call), [result(1, { stepName: "work", concurrent: 2 })]);
      } else if (record.targetStep === 2) return failed(500, "boom");
      return ok();
    });
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await w.engine.idle();
    expect((await w.run("wfr_1")).steps).toMatchObject([
      {},
      {
        type: "parallel",
        steps: [
          { stepId: 1, stepName: "work", state: "STEP_SUCCESS", concurrent: 2, out: '"r1"' },
          { stepId: 2, stepName: "nap", state: "STEP_PROGRESS", sleepFor: 60 },
        ],
      },
    ]);
    expect((await w.run("wfr_1")).steps).toHaveLength(2);
    await w.drain();
    expect((await w.run("wfr_1")).steps[1].steps).toMatchObject([
      { state: "STEP_SUCCESS" },
      { stepId: 2, state: "STEP_FAILED", errors: [{ status: 500 }] },
    ]);
  });

  it("tells two groups in a row apart", async () => {
    const w = world(() => ok());
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    for (const first of [1, 3]) {
      const ids = [first, first + 1];
      await w.append(
        "wfr_1",
        ids.map((id) => ({ ...plan, stepName: `s${id}`, targetStep: id })),
        { [HEADER.delay]: "1d" },
      );
      await w.append(
        "wfr_1",
        ids.map((id) => result(id, { concurrent: 2 })),
        { [HEADER.delay]: "1d" },
      );
    }
    const groups = (await w.run("wfr_1")).steps.filter(
      (group: { type: string }) => group.type === "parallel",
    );
    expect(
      groups.map(({ steps }: { steps: { stepId: number }[] }) => steps.map((step) => step.stepId)),
    ).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it("shows hashes of what is to be redacted", async () => {
    const w = world(sequence(1));
    await w.start("wfr_1", { [HEADER.redactFields]: "body,header", "Upstash-Forward-X-A": "1" });
    await w.engine.idle();
    const run = await w.run("wfr_1");
    const hash = expect.stringMatching(/^REDACTED:[0-9a-f]{64}$/);
    expect(run).toMatchObject({
      workflowRunResponse: hash,
      steps: [{ steps: [{ out: hash, headers: { "X-A": [hash] } }] }, { steps: [{ out: hash }] }],
    });
    expect(historyOf(w.calls[0] as never)[0]?.body).toBe(Buffer.from('{"order":1}').toString("base64"));
  });
});
