import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  failed,
  isFailure,
  ok,
  result,
  START,
  sequence,
  type World,
  world,
} from "../harness.ts";

const logs = async (w: World, query: string): Promise<Answer["body"]> =>
  (await w.ask("GET", `/v2/workflows/logs?${query}`)).body;
const idsOf = (page: { runs: { workflowRunId: string; workflowRunCreatedAt: number }[] }) =>
  page.runs.map((run) => `${run.workflowRunId}@${run.workflowRunCreatedAt - START}`);

describe("runs that are named", () => {
  const twice = async (): Promise<World> => {
    const w = world(sequence(0));
    for (const id of ["wfr_1", "wfr_2", "wfr_1", "with@sign"]) {
      await w.start(id);
      await w.engine.idle();
      w.clock.advance(1000);
    }
    return w;
  };

  it.each([
    [[`wfr_1@${START}`], ["wfr_1@0"]],
    [
      [`wfr_1@${START + 2000}`, `wfr_2@${START + 1000}`],
      ["wfr_1@2000", "wfr_2@1000"],
    ],
    [[`with@sign@${START + 3000}`], ["with@sign@3000"]],
    [[`wfr_1@${START + 1000}`, "none@5"], []],
  ])("%o are found by id and time", async (names, found) => {
    const w = await twice();
    expect(idsOf(await logs(w, `workflowRuns=${names.join(",")}`))).toEqual(found);
    expect(idsOf(await logs(w, names.map((name) => `workflowRuns=${name}`).join("&")))).toEqual(found);
    // Nothing else counts then.
    expect(idsOf(await logs(w, `workflowRuns=${names.join(",")}&label=none&fromDate=1&toDate=2`))).toEqual(
      found,
    );
  });

  it("come in pages, and all of them by default", async () => {
    const w = world(sequence(0));
    const names: string[] = [];
    for (let at = 0; at < 12; at++) {
      await w.start(`wfr_${at}`);
      await w.engine.idle();
      names.push(`wfr_${at}@${START}`);
    }
    const query = `workflowRuns=${names.join(",")}`;
    expect((await logs(w, query)).runs).toHaveLength(12);
    const first = await logs(w, `${query}&count=7`);
    const rest = await logs(w, `${query}&count=7&cursor=${first.cursor}`);
    expect([first.runs.length, rest.runs.length, rest.cursor]).toEqual([7, 5, undefined]);
  });
});

describe("a run's log can be cut", () => {
  const failing = async (): Promise<World> => {
    const w = world((call) => (isFailure(call) ? ok("released") : failed(500, "boomerang")));
    await w.start("wfr_1", { [HEADER.retries]: "0" }, "payloäd");
    await w.engine.idle();
    return w;
  };

  it("to so many bytes of each body, never in the middle of a character", async () => {
    const w = await failing();
    const outOf = async (bytes: number) =>
      (await logs(w, `trimBody=${bytes}`)).runs[0].steps[0].steps[0].out as string;
    expect(await outOf(100)).toBe("payloäd");
    expect(await outOf(8)).toBe("payloäd");
    expect(await outOf(7)).toBe("payloä");
    expect(await outOf(6)).toBe("paylo");
    expect(await outOf(0)).toBe("");
    const [run] = (await logs(w, "trimBody=4")).runs;
    expect(run.failureFunction).toMatchObject({
      failResponse: "boom",
      responseBody: "rele",
      failStatus: 500,
    });
    expect(run.workflowRunError).toEqual({ name: "Error", message: "boom", where: "delivery" });
    expect(run.steps[1].steps[0].errors).toMatchObject([{ body: '{"er', status: 500 }]);
  });

  it("to none of its bodies", async () => {
    const w = await failing();
    const [run] = (await logs(w, "trimBody=-1")).runs;
    expect(run).toMatchObject({ workflowState: "RUN_FAILED", failureFunction: { failStatus: 500 } });
    expect(run.steps[0].steps[0]).not.toHaveProperty("out");
    expect(JSON.stringify(run)).not.toMatch(/paylo|released|boom/);
  });

  it("also what a finished run has returned", async () => {
    const w = world(sequence(1));
    await w.start("wfr_1");
    await w.engine.idle();
    const [run] = (await logs(w, "trimBody=4")).runs;
    expect(run.workflowRunResponse).toBe('"all');
    expect(run.steps[1].steps[0]).toMatchObject({ out: '"r1"', stepName: "step1" });
  });
});

describe("runs by the states of their steps", () => {
  it("are those that have such a step", async () => {
    const w = world(() => failed(500, "boom"));
    await w.start("wfr_retries", { [HEADER.retries]: "3" });
    await w.start("wfr_fails", { [HEADER.retries]: "0" });
    await w.engine.idle();
    await w.start("wfr_waits", { [HEADER.delay]: "1h" });
    const by = async (state: string) =>
      (await logs(w, `state=${state}`)).runs
        .map((run: { workflowRunId: string }) => run.workflowRunId)
        .sort();
    expect(await by("STEP_RETRY")).toEqual(["wfr_retries"]);
    expect(await by("STEP_FAILED")).toEqual(["wfr_fails"]);
    expect(await by("STEP_PROGRESS")).toEqual(["wfr_waits"]);
    expect(await by("STEP_RETRY,STEP_FAILED")).toEqual(["wfr_fails", "wfr_retries"]);
    expect(await by("STEP_SUCCESS")).toEqual([]);
    await w.append("wfr_waits", [result(1)]);
    expect(await by("STEP_SUCCESS")).toEqual(["wfr_waits"]);
    expect(await w.ask("GET", "/v2/workflows/logs?state=STEP_FAILED,RUN_FAILED")).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("state") },
    });
  });
});
