import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { serve } from "@perdure/core";
import { expect, it, onTestFinished } from "vitest";
import { createEngine, type Engine, EngineError, fetchTransport, ManualClock } from "../../src/index.ts";
import { decode } from "../harness.ts";
import { openTestStore } from "../stores.ts";

const URL = "https://app.test/order";
const CREDENTIALS = { token: "a-token", signingKeys: { current: "sig_a", next: "sig_b" } };

interface World {
  readonly engine: Engine;
  readonly clock: ManualClock;
  /** What the failure function was told. */
  readonly failures: string[];
}

/** An engine and an endpoint in this process. Only the endpoint's own requests are HTTP. */
async function boot(): Promise<World> {
  const clock = new ManualClock();
  const failures: string[] = [];
  const store = openTestStore({ file: ":memory:", now: () => clock.now() });
  const engine = createEngine({
    ...CREDENTIALS,
    store,
    clock,
    transport: fetchTransport(1_000_000, (request) => handler(request)),
  });
  const api = createServer(
    getRequestListener((request) => engine.fetch(request), { overrideGlobalObjects: false }),
  ).listen(0, "127.0.0.1");
  await once(api, "listening");
  onTestFinished(async () => {
    await engine.stop();
    await store.close();
    api.close();
  });
  const { handler } = serve<{ id: number }>(
    async (context) => {
      const paid = await context.run("charge", () => context.requestPayload.id * 2);
      const { eventData } = await context.waitForEvent("wait for the parcel", "parcel", { timeout: "1d" });
      if (eventData === "lost") throw new Error("the parcel is lost");
      return { paid, eventData };
    },
    {
      qstashClient: { baseUrl: `http://127.0.0.1:${(api.address() as AddressInfo).port}`, token: "a-token" },
      keys: CREDENTIALS.signingKeys,
      failureFunction: ({ failResponse }) => {
        failures.push(failResponse);
      },
    },
  );
  engine.start();
  return { engine, clock, failures };
}

/** Lets all the time pass that the engine waits for. */
async function drain({ engine, clock }: World): Promise<void> {
  do await engine.idle();
  while (clock.advanceToNext());
}

it("starts a run, hands it an event, and reads its result", async () => {
  const { engine } = await boot();
  const { workflowRunId } = await engine.trigger({ url: URL, body: { id: 21 }, workflowRunId: "order-21" });
  expect(workflowRunId).toBe("wfr_order-21");
  expect(await engine.trigger({ url: URL, workflowRunId: "order-21" })).toMatchObject({ deduplicated: true });
  await engine.idle();
  expect(await engine.events.waiters("parcel")).toMatchObject([{ url: URL }]);
  const event = { eventId: "parcel", data: { by: "ship" }, workflowRunId };
  expect(await engine.events.notify(event)).toMatchObject([{ workflowRunId }]);
  await engine.idle();
  const run = await engine.runs.get(workflowRunId);
  expect(run).toMatchObject({ workflowState: "RUN_SUCCESS" });
  expect(JSON.parse(run.workflowRunResponse ?? "")).toEqual({ paid: 42, eventData: { by: "ship" } });
  const [payload] = await engine.runs.history(workflowRunId, { ended: true });
  expect(decode(payload?.body ?? "")).toBe('{"id":21}');
  await expect(engine.runs.history(workflowRunId)).rejects.toMatchObject({ code: "not_found" });
});

it("finds a failed run among the dead letters, and goes on with it", async () => {
  const world = await boot();
  const { engine, failures } = world;
  const { workflowRunId } = await engine.trigger({ url: URL, body: { id: 1 }, retries: 0, label: "import" });
  await engine.idle();
  await engine.events.notify({ eventId: "parcel", data: "lost" });
  await drain(world);
  expect(failures).toEqual(["the parcel is lost"]);
  const { messages } = await engine.dlq.list({ source: "workflow", label: "import" });
  expect(messages).toMatchObject([{ workflowRunId, failureFunctionState: "CALLBACK_SUCCESS" }]);
  const [{ dlqId = "" } = {}] = messages;
  expect(await engine.dlq.get(dlqId)).toMatchObject({ dlqId });
  await expect(engine.dlq.retryFailureFunction(dlqId)).rejects.toMatchObject({ code: "conflict" });
  const { workflowRuns } = await engine.dlq.restart(dlqId, { retries: 1 });
  expect(workflowRuns).toHaveLength(1);
  await engine.idle();
  expect(await engine.runs.cancel(workflowRuns[0]?.workflowRunId ?? "")).toEqual({ cancelled: 1 });
  await expect(engine.dlq.resume(dlqId)).rejects.toThrow(EngineError);
  const { runs } = await engine.runs.list({ state: ["RUN_CANCELED", "RUN_FAILED"] });
  expect(runs.map(({ workflowState }) => workflowState)).toEqual(["RUN_CANCELED", "RUN_FAILED"]);
});
