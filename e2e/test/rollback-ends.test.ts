import type { ServeOptions, WorkflowFunction } from "@perdure/core";
import { describe, expect, it } from "vitest";
import { Gate, until } from "./support/lab.ts";
import {
  boom,
  failureFunction,
  halt,
  perform,
  performUntilRollingBack,
  stage,
  step,
  undo,
  useStage,
} from "./support/stage.ts";

useStage();

describe("a step that is still being carried out when its run fails", () => {
  it("is rolled back once it has come to its end", async () => {
    const gate = new Gate();
    const url = stage.lab.serve(
      async (context) => {
        await Promise.all([
          context.run(
            "slow",
            async () => {
              stage.diary.push("slow begins");
              await gate.passed;
              stage.diary.push("slow ends");
            },
            undo("slow"),
          ),
          context.run("fatal", async () => {
            await until(() => stage.diary.includes("slow begins"));
            boom();
          }),
        ]);
      },
      // Inline, an invocation sees its steps through before the run fails.
      { failureFunction, inline: false },
    );
    const { workflowRunId } = await stage.lab.client.trigger({ url, retries: 0 });
    await until(() => stage.diary.includes("boom"));
    // Its lease is renewed as long as it takes.
    for (let beat = 0; beat < 20; beat++) await stage.lab.beat();
    expect(await stage.lab.run(workflowRunId)).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_INPROGRESS" },
    });
    expect(stage.diary).toEqual(["slow begins", "boom"]);
    gate.open();
    await stage.lab.drain();
    expect(stage.diary).toEqual(["slow begins", "boom", "slow ends", "undo slow", "failure function"]);
  });

  it("isn't waited for without a rollback", async () => {
    const gate = new Gate();
    const url = stage.lab.serve(
      async (context) => {
        await Promise.all([
          context.run("slow", () => {
            stage.diary.push("slow begins");
            return gate.passed;
          }),
          context.run("fatal", async () => {
            await until(() => stage.diary.includes("slow begins"));
            boom();
          }),
        ]);
      },
      { failureFunction, inline: false },
    );
    await stage.lab.client.trigger({ url, retries: 0 });
    await until(() => stage.diary.includes("failure function"));
    gate.open();
    await stage.lab.drain();
    expect(stage.diary).toEqual(["slow begins", "boom", "failure function"]);
  });

  it("isn't waited for any longer when the engine that delivered it has died", async () => {
    const url = stage.lab.serve(
      async (context) => {
        await Promise.all([
          context.run(
            "slow",
            () => {
              stage.diary.push("slow begins");
              return new Promise(() => {});
            },
            undo("slow"),
          ),
          context.run("fatal", async () => {
            await until(() => stage.diary.includes("slow begins"));
            boom();
          }),
        ]);
      },
      { failureFunction, inline: false },
    );
    const { workflowRunId } = await stage.lab.client.trigger({ url, retries: 0 });
    while ((await stage.lab.run(workflowRunId)).workflowState === "RUN_STARTED");
    await stage.lab.crash();
    await stage.lab.drain();
    expect(stage.diary).toEqual(["slow begins", "boom", "undo slow", "failure function"]);
  });

  it("and the run's time is up, is rolled back once it has come to its end", async () => {
    const gate = new Gate();
    const url = stage.lab.serve(
      async (context) => {
        await context.run(
          "slow",
          async () => {
            stage.diary.push("slow begins");
            await gate.passed;
            stage.diary.push("slow ends");
          },
          undo("slow"),
        );
      },
      { failureFunction },
    );
    const { workflowRunId } = await stage.lab.client.trigger({ url, timeout: "1m" });
    await until(() => stage.diary.includes("slow begins"));
    for (let beat = 0; beat < 12; beat++) await stage.lab.beat();
    expect((await stage.lab.run(workflowRunId)).workflowState).toBe("RUN_FAILED");
    gate.open();
    await stage.lab.drain();
    expect(stage.diary).toEqual(["slow begins", "slow ends", "undo slow", "failure function"]);
  });
});

describe("a run that fails by its time", () => {
  it("while it sleeps has nothing rolled back that it hadn't begun", async () => {
    await perform(
      async (context) => {
        await step(context, "reserve");
        await context.sleep("long", "1d");
        await step(context, "charge");
      },
      {},
      { timeout: "1h" },
    );
    expect(stage.diary).toEqual(["reserve", "undo reserve", "failure function"]);
    expect(stage.told?.failResponse).toContain("has not ended within 3600 s");
  });

  it("between two attempts has the step rolled back that was tried", async () => {
    await perform(
      async (context) => {
        await step(context, "reserve");
        await context.run("charge", () => Promise.reject(new Error("closed")), {
          ...undo("charge"),
          retries: 9,
          retryDelay: "10m",
        });
      },
      {},
      { timeout: "1h" },
    );
    expect(stage.diary).toEqual(["reserve", "undo charge", "undo reserve", "failure function"]);
  });
});

describe("an endpoint that dies in the middle of a step", () => {
  it("has it rolled back, though nothing is known of it", async () => {
    const workflow: WorkflowFunction = async (context) => {
      await step(context, "reserve");
      await step(context, "charge");
    };
    const handler = stage.lab.handlerOf(workflow, { failureFunction });
    const url = stage.lab.at("/wf", async (request) => {
      const visit = await request.clone().text();
      const answer = await handler(request);
      // What it has recorded gets lost with it, too.
      if (visit.includes('"msg_') && stage.diary.includes("charge") && !stage.diary.includes("died")) {
        stage.diary.push("died");
        return new Response("<h1>504</h1>", { status: 504 });
      }
      return answer;
    });
    await stage.lab.client.trigger({ url, retries: 0 });
    await stage.lab.drain();
    expect(stage.diary).toEqual([
      "reserve",
      "charge",
      "died",
      "undo charge",
      "undo reserve",
      "failure function",
    ]);
    expect(stage.told).toMatchObject({ where: "delivery", failBody: "<h1>504</h1>" });
  });

  it("also when a later attempt fails before it comes that far", async () => {
    let broken = false;
    let asked = 0;
    const workflow: WorkflowFunction = async (context) => {
      if (asked++ < 1) halt();
      await step(context, "charge");
    };
    const handler = stage.lab.handlerOf(workflow, { failureFunction });
    const url = stage.lab.at("/wf", async (request) => {
      if (broken) return handler(request);
      broken = true;
      stage.diary.push("charge begins");
      return new Response("", { status: 502 });
    });
    await stage.lab.client.trigger({ url, retries: 3, retryDelay: "1000" });
    await stage.lab.drain();
    expect(stage.diary).toEqual(["charge begins", "undo charge", "failure function"]);
  });
});

describe("with failureUrl elsewhere", () => {
  it("the workflow is asked for its rollbacks first, and the report goes there", async () => {
    const reports: { status: number; perdure: { rollbacks: object[]; only: string } }[] = [];
    const elsewhere = stage.lab.at("/elsewhere", async (request) => {
      stage.diary.push("report");
      reports.push((await request.json()) as (typeof reports)[number]);
      return new Response("noted");
    });
    const id = await perform(
      async (context) => {
        await step(context, "a");
        await step(context, "b");
        halt();
      },
      {},
      { failureUrl: elsewhere },
    );
    expect(stage.diary).toEqual(["a", "b", "undo b", "undo a", "report"]);
    expect(reports).toMatchObject([
      { status: 489, perdure: { only: "report", rollbacks: [{ stepName: "b" }, { stepName: "a" }] } },
    ]);
    expect(await stage.lab.run(id)).toMatchObject({
      rollbacks: [{ state: "done" }, { state: "done" }],
      failureFunction: { state: "CALLBACK_SUCCESS", url: elsewhere, responseBody: "noted" },
    });
  });

  it("the report also goes there when the workflow can't be reached any more", async () => {
    const elsewhere = stage.lab.at("/elsewhere", () => {
      stage.diary.push("report");
      return new Response();
    });
    const handler = stage.lab.handlerOf(async (context) => {
      await step(context, "a");
      halt();
    });
    let gone = false;
    const url = stage.lab.at("/wf", async (request) => {
      if (gone) return new Response("gone", { status: 503 });
      const answer = await handler(request);
      // The first delivery may be answered after the second one.
      gone ||= answer.status !== 200;
      return answer;
    });
    const { workflowRunId } = await stage.lab.client.trigger({
      url,
      retries: 1,
      retryDelay: "1000",
      failureUrl: elsewhere,
    });
    await stage.lab.drain();
    // At once, and again when the workflow is asked no more.
    expect(stage.diary).toEqual(["a", "report", "report"]);
    gone = false;
    const { dlqId = "" } = await stage.lab.run(workflowRunId);
    await stage.lab.client.dlq.retryRollbacks({ dlqId });
    await stage.lab.drain();
    expect(stage.diary).toEqual(["a", "report", "report", "undo a"]);
    await expect(stage.lab.client.dlq.retryRollbacks({ dlqId })).rejects.toThrow("answers 400");
  });

  it("both are called off together", async () => {
    const elsewhere = stage.lab.at("/elsewhere", () => expect.unreachable());
    const id = await performUntilRollingBack({ failureUrl: elsewhere });
    const run = await stage.lab.run(id);
    expect(run.failureFunction?.state).toBe("CALLBACK_INPROGRESS");
    const canceled = await stage.lab.cancelReport(run.dlqId ?? "");
    expect(canceled.status).toBe(200);
    await stage.lab.drain();
    expect((await stage.lab.run(id)).failureFunction?.state).toBe("CALLBACK_CANCELED");
    expect(stage.diary.filter((entry) => entry === "undo a")).toEqual([]);
  });
});

describe("a run that is cancelled", () => {
  const cancel = async (options: ServeOptions): Promise<string> => {
    const url = stage.lab.serve(
      async (context) => {
        await step(context, "a");
        await step(context, "b");
        await context.sleep("long", "1d");
        await step(context, "c");
      },
      { failureFunction, ...options },
    );
    const { workflowRunId } = await stage.lab.client.trigger({ url });
    await stage.lab.idle();
    await stage.lab.client.cancel(workflowRunId);
    await stage.lab.drain();
    return workflowRunId;
  };
  const cancelFunction = ({ rollbacks }: { rollbacks: readonly object[] }) => {
    stage.diary.push(`cancel function after ${rollbacks.length}`);
    return "cleaned up";
  };

  it("isn't rolled back unless that is asked for, and tells nobody", async () => {
    const id = await cancel({});
    expect(stage.diary).toEqual(["a", "b"]);
    expect(await stage.lab.run(id)).not.toHaveProperty("cancelFunction");
  });

  it("calls its cancel function", async () => {
    const id = await cancel({ cancelFunction });
    expect(stage.diary).toEqual(["a", "b", "cancel function after 0"]);
    expect(await stage.lab.run(id)).toMatchObject({
      workflowState: "RUN_CANCELED",
      cancelFunction: { state: "CALLBACK_SUCCESS", responseBody: '{"result":"cleaned up"}' },
    });
  });

  it("is rolled back first where that is asked for, without what it hadn't begun", async () => {
    const id = await cancel({ rollbackOnCancel: true, cancelFunction });
    expect(stage.diary).toEqual(["a", "b", "undo b", "undo a", "cancel function after 2"]);
    expect((await stage.lab.run(id)).rollbacks).toMatchObject([{ stepName: "b" }, { stepName: "a" }]);
  });

  it("in its very first step, is rolled back when that has come to its end", async () => {
    const gate = new Gate();
    const url = stage.lab.serve(
      async (context) => {
        await context.run(
          "slow",
          async () => {
            stage.diary.push("slow begins");
            await gate.passed;
            stage.diary.push("slow ends");
          },
          undo("slow"),
        );
      },
      { rollbackOnCancel: true, cancelFunction },
    );
    const { workflowRunId } = await stage.lab.client.trigger({ url });
    await until(() => stage.diary.includes("slow begins"));
    await stage.lab.client.cancel(workflowRunId);
    gate.open();
    await stage.lab.drain();
    expect(stage.diary).toEqual(["slow begins", "slow ends", "undo slow", "cancel function after 1"]);
  });

  it("by itself, is told of once that invocation is over", async () => {
    await perform(
      async (context) => {
        await step(context, "a");
        await context.cancel();
      },
      { rollbackOnCancel: true, cancelFunction },
    );
    expect(stage.diary).toEqual(["a", "undo a", "cancel function after 1"]);
  });
});
