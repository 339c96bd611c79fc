import { Client } from "@perdure/core";
import { expect, it } from "vitest";
import type { Scene } from "../scene.ts";
import { ODD_THROWS } from "../workflows.ts";
import { ORDER } from "./walk.ts";

/** Whole runs, by a real engine. */
export function runs(scene: () => Scene): void {
  const perform = async (path: string, body: unknown) => {
    const { url, stand } = scene();
    stand.useEngine();
    const client = new Client({ baseUrl: stand.url, token: stand.token });
    const { workflowRunId } = await client.trigger({ url: url + path, body, retries: 1, retryDelay: "1" });
    return { run: await client.runs.wait(workflowRunId, { failureFunction: "wait" }), client };
  };

  it("fulfils an order", async () => {
    const { run } = await perform("/order", ORDER);
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", result: { order: "17", paid: 42 } });
    for (const { steps } of run.steps) for (const { state } of steps) expect(state).toBe("STEP_SUCCESS");
    expect(scene().stand.told).not.toContain("order 17 is undone");
  });

  it("calls the failure function of an order that can't be paid, once its retries are exhausted", async () => {
    const { run, client } = await perform("/order", { ...ORDER, card: "4000 0000" });
    expect(run).toMatchObject({
      workflowState: "RUN_FAILED",
      failureFunction: { state: "CALLBACK_SUCCESS", failStatus: 500 },
    });
    expect(JSON.parse(run.failureFunction?.responseBody ?? "")).toEqual({
      result: { order: "17", status: 500, reason: "card 4000 0000 was declined" },
    });
    expect(scene().stand.told.filter((what) => what === "order 17 is undone")).toHaveLength(1);
    const { messages } = await client.dlq.list({ filter: { workflowRunId: run.workflowRunId } });
    expect(messages).toMatchObject([{ dlqId: run.dlqId, responseStatus: 500 }]);
  });

  it("tells the failure function, the dead letter and the log of whatever a step throws", async () => {
    const { url, stand } = scene();
    stand.useEngine();
    const client = new Client({ baseUrl: stand.url, token: stand.token });
    const cards = Object.keys(ODD_THROWS);
    const started = await client.trigger(
      cards.map((card) => ({ url: `${url}/order`, body: { ...ORDER, card }, retries: 0 })),
    );
    for (const [at, card] of cards.entries()) {
      const { workflowRunId = "" } = started[at] ?? {};
      const run = await client.runs.wait(workflowRunId, { failureFunction: "wait" });
      const { messages } = await client.dlq.list({ filter: { workflowRunId } });
      const told = JSON.parse(run.failureFunction?.responseBody ?? "{}").result?.reason;
      const buried = JSON.parse(messages[0]?.responseBody ?? "{}").message;
      expect([card, told]).toEqual([card, expect.stringMatching(ODD_THROWS[card]?.says ?? "")]);
      expect([card, buried, run.workflowRunError?.message]).toEqual([card, told, told]);
    }
  });

  it("runs twenty steps in one delivery", async () => {
    const { run } = await perform("/answer", { wish: "twenty steps" });
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", result: 210 });
    const { told, sent } = scene().stand;
    expect(told.filter((what) => what === "answer twenty steps runs")).toHaveLength(1);
    expect(sent.filter(({ path }) => path === "/v2/workflows/append")).toHaveLength(19);
  });

  it("runs a workflow that invokes another one", async () => {
    const { run } = await perform("/many/quadruple", 21);
    expect(run).toMatchObject({ workflowState: "RUN_SUCCESS", result: 84 });
  });
}
