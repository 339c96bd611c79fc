import { type WorkflowFunction, WorkflowNonRetryableError } from "@perdure/core";
import { describe, expect, it } from "vitest";
import { Gate } from "./support/lab.ts";
import {
  boom,
  halt,
  perform,
  performUntilRollingBack,
  resume,
  stage,
  step,
  useStage,
} from "./support/stage.ts";

useStage();

describe("a run that is resumed", () => {
  it("runs anew what was rolled back, and nothing else", async () => {
    let broken = true;
    const id = await perform(async (context) => {
      await step(context, "a");
      await context.run("kept", () => stage.diary.push("kept"));
      const both = await Promise.all([step(context, "b"), context.run("also kept", () => "also kept")]);
      await context.sleep("rest", 5);
      if (broken) halt();
      return both;
    });
    expect(stage.diary).toEqual(["a", "kept", "b", "undo b", "undo a", "failure function"]);
    stage.diary = [];
    broken = false;
    const run = await stage.lab.run(await resume(id));
    expect(run).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: '["b done","also kept"]',
    });
    expect(stage.diary).toEqual(["a", "b"]);
  });

  it("and fails again, has what ran again rolled back again", async () => {
    let broken = 2;
    const workflow: WorkflowFunction = async (context) => {
      await step(context, "a");
      await step(context, "b");
      await context.run("c", () => (broken-- > 0 ? boom() : 1));
    };
    const first = await perform(workflow);
    const second = await resume(first);
    expect(stage.diary).toEqual([
      ...["a", "b", "boom", "undo b", "undo a", "failure function"],
      ...["a", "b", "boom", "undo b", "undo a", "failure function"],
    ]);
    const third = await resume(second);
    expect((await stage.lab.run(third)).workflowState).toBe("RUN_SUCCESS");
    expect((await stage.lab.run(third)).rollbacks).toBeUndefined();
  });

  it("keeps what couldn't be rolled back, and has that rolled back when it fails again", async () => {
    let broken = true;
    let stuck = true;
    const id = await perform(async (context) => {
      await step(context, "a");
      await context.run("stuck", () => stage.diary.push("stuck"), {
        rollback: () => {
          if (stuck) throw new WorkflowNonRetryableError("stuck");
          stage.diary.push("undo stuck");
        },
      });
      if (broken) halt();
    });
    stuck = false;
    stage.diary = [];
    const second = await resume(id);
    expect(stage.diary).toEqual(["a", "undo stuck", "undo a", "failure function"]);
    broken = false;
    stage.diary = [];
    expect((await stage.lab.run(await resume(second))).workflowState).toBe("RUN_SUCCESS");
    expect(stage.diary).toEqual(["a", "stuck"]);
  });

  it("fails by an endpoint that gives no answer, has them made all the same where failureUrl is elsewhere", async () => {
    const elsewhere = stage.lab.at("/elsewhere", () => new Response());
    let dead = false;
    const handler = stage.lab.handlerOf(async (context) => {
      await context.run("stuck", () => stage.diary.push("stuck"), {
        rollback: () => {
          if (!dead) throw new WorkflowNonRetryableError("stuck");
          stage.diary.push("undo stuck");
        },
      });
      halt();
    });
    const url = stage.lab.at("/wf", (request) =>
      dead && !request.headers.has("Upstash-Workflow-Is-Failure")
        ? new Response("", { status: 503 })
        : handler(request),
    );
    const { workflowRunId } = await stage.lab.client.trigger({ url, retries: 0, failureUrl: elsewhere });
    await stage.lab.drain();
    dead = true;
    await resume(workflowRunId);
    expect(stage.diary).toEqual(["stuck", "undo stuck"]);
  });

  it("is refused while it is rolled back, one by one and in bulk, and may go on after", async () => {
    const id = await performUntilRollingBack();
    const { dlqId = "" } = await stage.lab.run(id);
    const one = stage.lab.client.dlq.resume(dlqId);
    await expect(one).resolves.toEqual({ workflowRuns: [] });
    await expect(stage.lab.client.dlq.restart(dlqId)).resolves.toEqual({ workflowRuns: [] });
    const ownWay = await stage.lab.ask("POST", `/v2/workflows/dlq/resume/${dlqId}`);
    expect(ownWay.status).toBe(400);
    expect(await ownWay.text()).toContain("rollbacks or its failure function are in progress");
    await expect(stage.lab.client.dlq.retryRollbacks({ dlqId })).rejects.toThrow("answers 400");
    expect((await stage.lab.client.dlq.list({ filter: { workflowRunId: id } })).messages).toHaveLength(1);
    stage.diary.push("open");
    await stage.lab.drain();
    expect(stage.diary.slice(-3)).toEqual(["undo b", "undo a", "failure function"]);
    expect((await stage.lab.run(await resume(id))).workflowRunResponse).toBe('"done"');
  });

  it("may go on as soon as its rollbacks are called off, and keeps what wasn't rolled back", async () => {
    const id = await performUntilRollingBack();
    await stage.lab.cancelReport((await stage.lab.run(id)).dlqId ?? "");
    stage.diary = ["open"];
    expect((await stage.lab.run(await resume(id))).workflowRunResponse).toBe('"done"');
    expect(stage.diary).toEqual(["open"]);
  });
});

describe("a run that is restarted", () => {
  it("begins anew, whatever was rolled back", async () => {
    let broken = true;
    const id = await perform(async (context) => {
      await step(context, "a");
      if (broken) halt();
    });
    broken = false;
    const { workflowRuns } = await stage.lab.client.dlq.restart((await stage.lab.run(id)).dlqId ?? "");
    await stage.lab.drain();
    expect(stage.diary).toEqual(["a", "undo a", "failure function", "a"]);
    expect((await stage.lab.run(workflowRuns[0]?.workflowRunId ?? "")).workflowState).toBe("RUN_SUCCESS");
  });
});

describe("client.dlq.retryRollbacks", () => {
  it("has those made again that failed, and nothing else", async () => {
    let stuck = true;
    const gate = new Gate();
    const id = await perform(async (context) => {
      await step(context, "a");
      await context.run("b", () => 1, {
        rollback: async () => {
          stage.diary.push("undo b");
          if (stuck) throw new WorkflowNonRetryableError("stuck");
          await gate.passed;
        },
      });
      halt();
    });
    expect(stage.diary).toEqual(["a", "undo b", "undo a", "failure function"]);
    const { dlqId = "" } = await stage.lab.run(id);
    await stage.lab.client.dlq.retryRollbacks({ dlqId });
    await stage.lab.drain();
    expect(stage.diary.slice(4)).toEqual(["undo b"]);
    stuck = false;
    expect(await stage.lab.client.dlq.retryRollbacks({ dlqId })).toMatchObject({ workflowRunId: id });
    // They are under way: what they undo can't be run anew yet.
    expect(await stage.lab.client.dlq.resume(dlqId)).toEqual({ workflowRuns: [] });
    gate.open();
    await stage.lab.drain();
    expect(stage.diary.slice(4)).toEqual(["undo b", "undo b"]);
    expect((await stage.lab.run(id)).rollbacks).toMatchObject([
      { stepName: "a", state: "done" },
      { stepName: "b", state: "done" },
    ]);
    await expect(stage.lab.client.dlq.retryRollbacks({ dlqId })).rejects.toThrow("answers 400");
  });
});
