import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { stateOf } from "../crashing.ts";
import { failed, isFailure, ok, sequence, until, world } from "../harness.ts";
import { appendTo, begins, done, fails, inline, invocationOf, key, waits } from "./invocation.ts";

describe("a run that ran inline", () => {
  it("is resumed with its results, its own id for idempotency keys, and none of its attempts", async () => {
    const w = world(
      inline((run) => {
        if (run.runId !== "wfr_1") {
          return run.returned({ results: [...run.results.keys()], attempts: run.attempts.length });
        }
        return run.failed(key("step2"), { status: 489, records: [done(1), fails(key("other"), 1)] });
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    const [{ dlqId }] = await w.deadLetters();
    const { body } = await w.ask("POST", `/v2/workflows/dlq/resume/${dlqId}`);
    await w.drain();
    const resumed = await w.run(body.workflowRunId);
    expect(JSON.parse(resumed.workflowRunResponse)).toEqual({ results: ["step1"], attempts: 0 });
    const last = w.calls.at(-1);
    expect(last?.headers.get(HEADER.originalRun)).toBe("wfr_1");
    expect(last?.headers.get(HEADER.lease)).toContain(body.workflowRunId);
  });

  it("asks again for what the engine was to do, but not to begin a step that begins at most once", async () => {
    const seen: unknown[] = [];
    const w = world(
      inline((run) => {
        if (run.runId === "wfr_1") {
          const records = [begins(1), waits("wfr_1", 2, "go"), begins(3), fails(key("step3"), 1)];
          return run.failed(key("step4"), { status: 489, records });
        }
        const history = JSON.parse(run.call.text) as { body: string }[];
        seen.push(
          ...history
            .slice(1)
            .map(({ body }) => JSON.parse(Buffer.from(body, "base64").toString()).targetStep),
        );
        return run.returned(1);
      }),
    );
    await w.start("wfr_1");
    await w.drain();
    const [{ dlqId }] = await w.deadLetters();
    await w.ask("POST", `/v2/workflows/dlq/resume/${dlqId}`);
    await w.drain();
    expect(seen).toEqual([1]);
  });

  it("goes on one step a delivery when it is resumed with a flow control key, and is retried", async () => {
    let attempts = 0;
    const w = world((call, self) => {
      const run = invocationOf(call, self);
      if (isFailure(call)) return ok("{}");
      if (run.runId === "wfr_1") return run.failed(key("step2"), { status: 489, records: [done(1)] });
      return attempts++ === 0 ? failed(500, "boom") : sequence(2)(call, self);
    });
    await w.start("wfr_1");
    await w.drain();
    const [{ dlqId }] = await w.deadLetters();
    const headers = { [HEADER.flowControlKey]: "bank", [HEADER.flowControlValue]: "parallelism=1" };
    const { body } = await w.ask("POST", `/v2/workflows/dlq/resume/${dlqId}`, { headers });
    await w.drain();
    expect(await stateOf(w, body.workflowRunId)).toBe("RUN_SUCCESS");
    expect(w.calls.at(-1)?.headers.get(HEADER.lease)).toBeNull();
  });

  it("is restarted from its payload", async () => {
    const w = world(
      inline((run) =>
        run.runId === "wfr_1"
          ? run.failed(key("step2"), { status: 489, records: [done(1)] })
          : run.returned([...run.results.keys()]),
      ),
    );
    await w.start("wfr_1");
    await w.drain();
    const [{ dlqId }] = await w.deadLetters();
    const { body } = await w.ask("POST", `/v2/workflows/dlq/restart/${dlqId}`);
    await w.drain();
    expect((await w.run(body.workflowRunId)).workflowRunResponse).toBe("[]");
    expect(w.calls.at(-1)?.headers.get(HEADER.originalRun)).toBeNull();
  });

  it("is reported as cancelled where its endpoint has died in the first delivery, after an append", async () => {
    const reports: unknown[] = [];
    const workflow = inline(async ({ self, lease, after }) => {
      const records = [done(1)];
      await appendTo(self, { lease, after, records, underWay: [], capabilities: "1, on-cancel" });
      await self.ask("DELETE", "/v2/workflows/runs/wfr_1");
      throw new TypeError("the endpoint died");
    });
    const w = world((call, self) => {
      if (call.headers.get(HEADER.callType) !== "cancelCall") return workflow(call, self);
      reports.push(call.headers.get(HEADER.runId));
      return ok("{}");
    });
    await w.start("wfr_1");
    await w.drain();
    expect(await stateOf(w)).toBe("RUN_CANCELED");
    expect(reports).toEqual(["wfr_1"]);
  });

  it("fails at its time limit while an invocation holds it, which its next append learns of", async () => {
    const seen: unknown[] = [];
    let resume = (): void => {};
    const w = world(
      inline(async (run) => {
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
        seen.push(await run.append([done(1)]).catch(({ message }) => message));
        return run.park();
      }),
    );
    await w.start("wfr_1", { [HEADER.runTimeout]: "5s" });
    await until(() => w.calls.length > 0);
    w.clock.advanceToNext();
    await until(async () => (await stateOf(w)) === "RUN_FAILED");
    resume();
    await w.drain();
    expect(seen).toEqual([JSON.stringify({ error: "run_over", state: "RUN_FAILED" })]);
  });
});
