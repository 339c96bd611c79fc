import { HEADER } from "@perdure/core/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../../src/index.ts";
import { ok, type World, world } from "../harness.ts";

let w: World;
let engine: Engine;
beforeEach(async () => {
  w = world(() => ok());
  engine = w.engine;
  await w.start("wfr_1", { [HEADER.delay]: "1d", [HEADER.label]: "import" });
  await w.start("wfr_2", { [HEADER.delay]: "1d" });
});
afterEach(() => engine.stop());

describe("engine.runs", () => {
  it("finds, counts and changes the runs that match", async () => {
    const { runs } = await engine.runs.find({ label: "import" });
    expect(runs).toMatchObject([{ workflowRunId: "wfr_1", stepCount: 0 }]);
    expect(await engine.runs.count({ excludeLabel: "import" })).toMatchObject({ total: 1 });
    expect(await engine.runs.change("cancel", { label: "import", dryRun: true })).toEqual({
      dryRun: true,
      matched: 1,
    });
    expect(await engine.runs.change("cancel", { all: true })).toEqual({ dryRun: false, changed: 2 });
    expect((await engine.runs.count()).states.RUN_CANCELED).toBe(2);
  });

  it("refuses an action that isn't one, and a change of everything by mistake", async () => {
    await expect(engine.runs.change("delete" as never, { all: true })).rejects.toThrow("action must be");
    await expect(engine.runs.change("cancel", {} as never)).rejects.toThrow("{ all: true }");
    await expect(engine.runs.find({ lable: "x" } as never)).rejects.toThrow('Unknown option "lable"');
  });

  it("tells what one run waits for, and hurries it", async () => {
    const { waitsFor, stepCount } = await engine.runs.overview("wfr_1");
    expect([waitsFor.map(({ kind }) => kind), stepCount]).toEqual([["delivery"], 0]);
    const { steps, cursor } = await engine.runs.steps("wfr_1", { count: 1 });
    expect([steps[0]?.stepName, cursor]).toEqual(["init", undefined]);
    await expect(engine.runs.wake("wfr_1")).rejects.toMatchObject({ code: "conflict" });
    await expect(engine.runs.wake("wfr_1", "nap")).rejects.toThrow('no step "nap" that sleeps');
    await expect(engine.runs.retryNow("wfr_1")).rejects.toMatchObject({ code: "conflict" });
    await expect(engine.runs.overview("wfr_x")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("what people look at", () => {
  it("is numbers, groups, waits, messages and the audit log", async () => {
    const { buckets, now } = await engine.runs.numbers({ bucket: 60_000 });
    expect([buckets.at(-1)?.started, now.live]).toEqual([2, 2]);
    expect((await engine.messages.pending({ status: "scheduled", count: 1 })).messages).toHaveLength(1);
    expect((await engine.messages.pending({ workflowRunId: "wfr_2" })).messages).toMatchObject([
      { workflowRunId: "wfr_2" },
    ]);
    expect(await engine.events.waits({ eventId: "go" })).toEqual({ waiters: [] });
    expect(await engine.dlq.groups({ fingerprint: "none" })).toEqual({ groups: [] });
    await w.ask("DELETE", "/v2/workflows/runs/wfr_2");
    const { entries } = await engine.audit.list({ target: "wfr_2" });
    expect(entries).toMatchObject([{ action: "DELETE /v2/workflows/runs/:id", target: "wfr_2" }]);
    await expect(engine.audit.list({ who: "x" } as never)).rejects.toThrow('Unknown option "who"');
  });

  it("comes as a stream, until its signal aborts", async () => {
    const abort = new AbortController();
    const stream = await engine.stream({ event: "run", label: "import", signal: abort.signal });
    await engine.runs.cancel("wfr_2");
    await engine.runs.cancel("wfr_1");
    const seen: unknown[] = [];
    let last = "";
    for await (const { id = "", event, data } of stream) {
      seen.push([event, data.type, data.workflowRunId]);
      last = id;
      abort.abort();
    }
    expect(seen).toEqual([["run", "run.canceled", "wfr_1"]]);
    await w.start("wfr_3", { [HEADER.label]: "import", [HEADER.delay]: "1h" });
    for await (const { data } of await engine.stream({ lastEventId: last, workflowRunId: "wfr_3" })) {
      expect(data).toMatchObject({ type: "run.started", workflowRunId: "wfr_3" });
      break;
    }
    await expect(engine.stream({ event: "all" as never })).rejects.toThrow("expected one of run, message");
  });
});
