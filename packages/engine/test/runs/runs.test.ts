import { HEADER, type StepRecord } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  type Call,
  decode,
  historyOf,
  ok,
  result,
  runIdOf,
  START,
  sequence,
  until,
  type World,
  world,
} from "../harness.ts";

const recordsOf = (call: Call | undefined): StepRecord[] =>
  historyOf(call as Call)
    .slice(1)
    .map((entry) => JSON.parse(decode(entry.body)));

describe("a run", () => {
  it("goes step by step to its end", async () => {
    const steps = sequence(3);
    const w: World = world(async (call, self) => {
      // On PostgreSQL the run may end before the outcome of an earlier attempt is recorded: then nothing tells of it.
      if (historyOf(call).length === 4)
        await until(() => w.events.filter(({ type }) => type === "delivered").length === 3);
      return steps(call, self);
    });
    const started = await w.start("wfr_1");
    expect(started.body).toEqual([
      {
        messageId: expect.stringMatching(/^msg_/),
        url: "https://app.test/wf",
        workflowRunId: "wfr_1",
        workflowCreatedAt: START,
      },
    ]);
    await w.engine.idle();
    expect(w.calls.map((call) => historyOf(call).length)).toEqual([1, 2, 3, 4]);
    expect(recordsOf(w.calls[3])).toEqual([result(1), result(2), result(3)]);
    expect(await w.run("wfr_1")).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: '"all done"',
    });
    const told = w.events.map((event) => event.type);
    expect(told.filter((type) => type !== "delivered")).toEqual([
      "run.started",
      "step.recorded",
      "step.recorded",
      "step.recorded",
      "run.completed",
    ]);
    // The engine tells of a record at its commit, and of the attempt that made it after that: perhaps after the next record.
    const placesOf = (type: string) => told.flatMap((one, at) => (one === type ? [at] : []));
    const records = placesOf("step.recorded");
    const outcomes = placesOf("delivered");
    expect(outcomes).toHaveLength(3);
    for (const [step, at] of outcomes.entries()) expect(at).toBeGreaterThan(records[step] ?? Infinity);
  });

  it("delivers the entry that a message stands for last, and every delivery's history is the same to the byte", async () => {
    const w = world(sequence(2));
    await w.start("wfr_1", {}, "žluťoučký <&> payload");
    await w.engine.idle();
    for (const call of w.calls) {
      const entries = historyOf(call);
      expect(entries.at(-1)?.messageId).toBe(call.headers.get(HEADER.messageId));
      expect(decode(entries[0]?.body ?? "")).toBe("žluťoučký <&> payload");
      expect(call.text).toBe(JSON.stringify(entries));
      expect(call.headers.get("content-type")).toBe("application/json");
    }
    expect(w.calls[1]?.text.startsWith((w.calls[0]?.text ?? "").slice(0, -1))).toBe(true);
  });

  it("waits as long as a step sleeps", async () => {
    const w = world(async (call, self) => {
      const done = historyOf(call).length - 1;
      if (done === 0) {
        const sleep = result(1, { stepType: "SleepFor", sleepFor: "1d" });
        await self.append(runIdOf(call), [sleep], { [HEADER.delay]: "1d" });
      } else if (done === 1) {
        const until = result(2, { stepType: "SleepUntil", sleepUntil: START / 1000 + 200_000 });
        await self.append(runIdOf(call), [until], { [HEADER.notBefore]: String(START / 1000 + 200_000) });
      } else await self.end(runIdOf(call));
      return ok();
    });
    await w.start("wfr_1", { [HEADER.delay]: "10s" });
    await w.drain();
    expect(w.calls.map((call) => call.at - START)).toEqual([10_000, 86_410_000, 200_000_000]);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("starts at once when the time it should not start before has passed", async () => {
    const w = world(sequence(0));
    await w.start("wfr_1", { [HEADER.notBefore]: "1000", [HEADER.delay]: "1d" });
    await w.engine.idle();
    expect(w.calls).toHaveLength(1);
  });
});

describe("creating a run", () => {
  it("whose id is alive changes nothing", async () => {
    const w = world(sequence(1));
    const first = await w.start("wfr_1", { [HEADER.delay]: "1m" });
    const again = await w.start("wfr_1", { "Upstash-Forward-X-Other": "1" }, "other");
    expect(again.body).toEqual([{ ...first.body[0], deduplicated: true }]);
    const published = await w.ask("POST", "/v2/publish/https://app.test/wf", {
      headers: { [HEADER.init]: "true", [HEADER.runId]: "wfr_1" },
    });
    expect(published).toMatchObject({
      status: 202,
      body: { deduplicated: true, messageId: first.body[0].messageId },
    });
    await w.drain();
    expect(w.calls).toHaveLength(2);
    expect(w.calls[0]?.headers.has("x-other")).toBe(false);
  });

  it("whose id belonged to one that has ended makes another run", async () => {
    const w = world(sequence(1));
    await w.start("wfr_1");
    await w.engine.idle();
    const again = await w.start("wfr_1");
    expect(again.body[0]).not.toHaveProperty("deduplicated");
    expect(again.body[0].workflowCreatedAt).toBe(START + 1);
    await w.engine.idle();
    const { runs } = (await w.ask("GET", "/v2/workflows/logs?workflowRunId=wfr_1")).body;
    expect(runs.map((run: { workflowState: string }) => run.workflowState)).toEqual([
      "RUN_SUCCESS",
      "RUN_SUCCESS",
    ]);
    expect(w.calls).toHaveLength(4);
  });

  it("that is named after the message that starts it makes one, also when that message comes again later", async () => {
    const w = world(sequence(1));
    const id = "wfr_msg_0";
    const first = await w.start(id);
    await w.engine.idle();
    expect((await w.run(id)).workflowState).toBe("RUN_SUCCESS");
    const again = await w.start(id);
    expect(again.body).toEqual([{ ...first.body[0], deduplicated: true }]);
    await w.engine.idle();
    expect((await w.ask("GET", "/v2/workflows/logs")).body.runs).toHaveLength(1);
  });

  it("needs an id", async () => {
    const w = world();
    const answer = await w.start("wfr_1", { [HEADER.runId]: "" });
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(HEADER.runId) } });
  });
});

describe("ending a run", () => {
  it("drops what is pending of it, and is no error the second time", async () => {
    const w = world(() => ok());
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    await w.append("wfr_1", [result(1)], { [HEADER.delay]: "2d" });
    expect(await w.end("wfr_1", '{"a":1}')).toMatchObject({ status: 200, body: { cancelled: 0 } });
    expect(await w.end("wfr_1", "other")).toMatchObject({ status: 200 });
    await w.drain();
    expect(w.calls).toEqual([]);
    expect(await w.run("wfr_1")).toMatchObject({
      workflowState: "RUN_SUCCESS",
      workflowRunResponse: '{"a":1}',
      workflowRunCompletedAt: START,
    });
    expect((await w.ask("GET", "/v2/workflows/runs/wfr_1")).status).toBe(404);
  });

  it("by cancelling it calls nobody", async () => {
    const w = world(() => ok());
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    const path = "/v2/workflows/runs/wfr_1?cancel=true";
    expect(await w.ask("DELETE", path)).toMatchObject({ status: 200, body: { cancelled: 1 } });
    expect(await w.ask("DELETE", path)).toMatchObject({ status: 200, body: { cancelled: 0 } });
    await w.drain();
    expect(w.calls).toEqual([]);
    expect(await w.deadLetters()).toEqual([]);
    expect(await w.run("wfr_1")).toMatchObject({
      workflowState: "RUN_CANCELED",
      steps: [{ type: "sequential" }, { type: "next", steps: [{ state: "STEP_CANCELED" }] }],
    });
  });

  it("that never was is 404", async () => {
    const w = world();
    expect((await w.end("wfr_none")).status).toBe(404);
    expect((await w.ask("DELETE", "/v2/workflows/runs/wfr_none?cancel=maybe")).status).toBe(400);
  });

  it("while a step is being delivered makes what comes of that delivery meaningless", async () => {
    let release = (): void => {};
    const w = world(async () => {
      await new Promise<void>((resolve) => (release = resolve));
      return new Response("", { status: 500 });
    });
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await until(() => w.calls.length === 1);
    await w.end("wfr_1");
    release();
    await w.drain();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
    expect(await w.deadLetters()).toEqual([]);
  });
});
