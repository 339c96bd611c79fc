import type { WorkflowFunction } from "@perdure/core";
import { expect, it } from "vitest";
import { halt, stage, useStage } from "./support/stage.ts";

useStage();

/** Resumes a failed run with these results in the place of the recorded ones. */
async function resumeWith(runId: string, results: object): Promise<string> {
  const { dlqId = "" } = await stage.lab.run(runId);
  const path = `/v2/workflows/dlq/resume/${dlqId}`;
  const answer = await stage.lab.ask("POST", path, JSON.stringify({ results }));
  const { workflowRunId } = (await answer.json()) as { workflowRunId: string };
  await stage.lab.drain();
  return workflowRunId;
}

it.each([true, false])(
  "a resumed run gets the results that a person sets, also those of waits: in time %s",
  async (inTime) => {
    let broken = true;
    const workflow: WorkflowFunction = async (context) => {
      const webhook = await context.createWebhook("make an address");
      if (inTime)
        await context.run("call it", () => void fetch(webhook.webhookUrl, { method: "PUT", body: "first" }));
      const approval = await context.waitForEvent("approval", "go", { timeout: "1h" });
      const hit = await context.waitForWebhook("hit", webhook, "1h");
      const work = await context.run("work", () => "done");
      if (broken) halt();
      const request = hit.timeout ? undefined : [hit.request.method, await hit.request.json()];
      return [approval.eventData, request, work];
    };
    const url = stage.lab.serve(workflow);
    const { workflowRunId } = await stage.lab.client.trigger({ url, retries: 0 });
    if (inTime) {
      await stage.lab.idle();
      await stage.lab.client.notify({ eventId: "go", eventData: "first" });
    }
    await stage.lab.drain();
    broken = false;
    const first = inTime ? 3 : 2;
    const resumed = await resumeWith(workflowRunId, [
      { stepId: first, result: { by: "Grace" } },
      { stepId: first + 1, result: { paid: true } },
      { stepId: first + 2, result: "done by hand" },
    ]);
    expect((await stage.lab.client.runs.get(resumed))?.result).toEqual([
      { by: "Grace" },
      [inTime ? "PUT" : "POST", { paid: true }],
      "done by hand",
    ]);
  },
);
