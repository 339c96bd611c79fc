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
  type World,
  world,
} from "../harness.ts";

const recordsOf = (call: Call | undefined): StepRecord[] =>
  historyOf(call as Call)
    .slice(1)
    .map((entry) => JSON.parse(decode(entry.body)));

const plan = (targetStep: number, concurrent: number, more: Partial<StepRecord> = {}): StepRecord => ({
  stepId: 0,
  stepName: `step${targetStep}`,
  stepType: "Run",
  concurrent,
  targetStep,
  ...more,
});

describe("parallel steps", () => {
  const parallel = async (call: Call, self: World): Promise<Response> => {
    const records = recordsOf(call);
    const last = records.at(-1);
    const id = runIdOf(call);
    if (!last) await self.append(id, [plan(1, 2), plan(2, 2, { sleepFor: 5 })]);
    else if (last.stepId === 0) await self.append(id, [result(last.targetStep as number, { concurrent: 2 })]);
    else if (records.length === 4) await self.end(id);
    return ok();
  };

  it("are delivered each for itself, and never see what was recorded later", async () => {
    const w = world(parallel);
    await w.start("wfr_1");
    await w.engine.idle();
    const seen = w.calls.map((call) => recordsOf(call).map((record) => record.targetStep ?? -record.stepId));
    const planned = seen.filter((ids) => (ids.at(-1) ?? 1) > 0);
    expect(planned.map((ids) => ids.join(" ")).sort()).toEqual(["", "1", "1 2"]);
    // Their results may come in any order; one of them is the last.
    const results = seen.filter((ids) => !planned.includes(ids));
    expect(results.map((ids) => ids.length).sort()).toEqual([3, 4]);
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("that sleep say so once: with their plan, not with its result", async () => {
    const w = world(async (call, self) => {
      const id = runIdOf(call);
      const last = recordsOf(call).at(-1);
      const nap = { stepType: "SleepFor", sleepFor: 5 } as const;
      if (!last) await self.append(id, [plan(1, 2, nap)], { [HEADER.delay]: "5s" });
      else if (last.stepId === 0) await self.append(id, [result(1, { concurrent: 2, ...nap })]);
      else await self.end(id);
      return ok();
    });
    await w.start("wfr_1");
    await w.drain();
    const said = w.events.filter(({ type }) => type === "step.waiting");
    expect(said).toMatchObject([{ step: "step1", until: START + 5000 }]);
  });

  it("are recorded all or not at all, in order", async () => {
    const w = world(() => ok());
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    const bad = { ...plan(2, 2), targetStep: "two" } as never;
    expect((await w.append("wfr_1", [plan(1, 2), bad])).status).toBe(400);
    expect((await w.ask("GET", "/v2/workflows/runs/wfr_1")).body).toHaveLength(1);
    expect((await w.append("wfr_1", [plan(2, 2), plan(1, 2)])).status).toBe(200);
    const history = (await w.ask("GET", "/v2/workflows/runs/wfr_1")).body;
    expect(
      history.slice(1).map((entry: { body: string }) => JSON.parse(decode(entry.body)).targetStep),
    ).toEqual([2, 1]);
  });
});

describe("appending to a run", () => {
  it("a record that it has already is answered with what is there", async () => {
    const w = world(() => ok());
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    const first = await w.append("wfr_1", [result(1)], { [HEADER.delay]: "1d" });
    const again = await w.append("wfr_1", [result(1, { out: '"other"' })]);
    expect(again.body[0]).toMatchObject({ deduplicated: true, messageId: first.body[0].messageId });
    const history = (await w.ask("GET", "/v2/workflows/runs/wfr_1")).body;
    expect(JSON.parse(decode(history[1].body)).out).toBe('"r1"');
    expect(w.clock.next()).toBe(START + 86_400_000);
  });

  it("is refused for one that doesn't exist or has ended, and the whole batch with it", async () => {
    const w = world(sequence(0));
    const unknown = await w.append("wfr_none", [result(1)]);
    expect(unknown).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("wfr_none doesn't exist") },
    });
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await w.append("wfr_1", [result(1)])).body.error).toContain("wfr_1 has ended (RUN_SUCCESS)");
    await w.start("wfr_2", { [HEADER.delay]: "1d" });
    const mixed = await w.ask("POST", "/v2/batch", {
      body: JSON.stringify(
        ["wfr_2", "wfr_1"].map((id) => ({
          destination: "https://app.test/wf",
          headers: { [HEADER.init]: "false", [HEADER.runId]: id },
          body: JSON.stringify(result(1)),
        })),
      ),
    });
    expect(mixed.status).toBe(400);
    expect((await w.ask("GET", "/v2/workflows/runs/wfr_2")).body).toHaveLength(1);
  });

  it.each([
    ["not JSON", "{"],
    ["a list", "[]"],
    ["no step id", '{"stepName":"a","stepType":"Run","concurrent":1}'],
    ["a plan for nothing", '{"stepId":0,"stepName":"a","stepType":"Run","concurrent":2}'],
  ])("a record that is %s is refused", async (_, body) => {
    const w = world(() => ok());
    await w.start("wfr_1", { [HEADER.delay]: "1d" });
    const answer = await w.ask("POST", "/v2/publish/https://app.test/wf", {
      headers: { [HEADER.init]: "false", [HEADER.runId]: "wfr_1" },
      body,
    });
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining("wfr_1") } });
    expect((await w.ask("GET", "/v2/workflows/runs/wfr_1")).body).toHaveLength(1);
  });
});

describe("a history that is too long to send", () => {
  const limits = { historyBytes: 2000 };
  const payload = "x".repeat(2000);

  it("is left for the endpoint to fetch", async () => {
    const w = world(
      async (call, self) => {
        expect(call.text).toBe("");
        const history = (await self.ask("GET", `/v2/workflows/runs/${runIdOf(call)}`)).body;
        expect(history.at(-1).messageId).toBe(call.headers.get(HEADER.messageId));
        if (history.length === 1) await self.append(runIdOf(call), [result(1)]);
        else await self.end(runIdOf(call));
        return ok();
      },
      { limits },
    );
    await w.start("wfr_1", {}, payload);
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("is sent all the same to those who didn't say that they can", async () => {
    const w = world(sequence(1), { limits });
    await w.start("wfr_1", { [HEADER.featureSet]: "InitialBody" }, payload);
    await w.engine.idle();
    expect(w.calls.map((call) => historyOf(call).length)).toEqual([1, 2]);
  });
});
