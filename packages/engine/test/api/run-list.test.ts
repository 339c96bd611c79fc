import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { checked, describedApi } from "../described.ts";
import { failed, isFailure, ok, runIdOf, START, sequence, type World, world } from "../harness.ts";

const OTHER = "https://app.test/other";

/** Runs that have ended well, that have failed, and that haven't begun. Their ids begin with `wfr_a`, `wfr_b` or `wfr_c`. */
async function filled(): Promise<World> {
  const done = sequence(2);
  const w = world((call, self) =>
    runIdOf(call).startsWith("wfr_b") && !isFailure(call) ? failed(500, "card declined") : done(call, self),
  );
  for (const [id, headers] of [
    ["wfr_a1", { [HEADER.label]: "eu,all" }],
    ["wfr_a2", { [HEADER.label]: "us,all" }],
    ["wfr_b1", { [HEADER.label]: "eu", [HEADER.retries]: "0" }],
    ["wfr_c1", { [HEADER.delay]: "1d", [HEADER.flowControlKey]: "k", [HEADER.flowControlValue]: "rate=1" }],
  ] as const) {
    await w.start(id, headers);
    await w.engine.idle();
    w.clock.advance(1000);
  }
  return w;
}

const list = async (w: World, query = ""): Promise<ReturnType<typeof JSON.parse>> =>
  (await w.ask("GET", `/v2/workflows/runs${query}`)).body;
const idsOf = ({ runs }: { runs: { workflowRunId: string }[] }): string[] =>
  runs.map((run) => run.workflowRunId);

describe("the list of runs without steps", () => {
  it("shows how far each has come, and why it failed", async () => {
    const w = await filled();
    expect((await list(w)).runs).toEqual([
      {
        workflowRunId: "wfr_c1",
        workflowUrl: "https://app.test/wf",
        workflowState: "RUN_STARTED",
        workflowRunCreatedAt: START + 3000,
        flowControlKey: "k",
        stepCount: 0,
      },
      {
        workflowRunId: "wfr_b1",
        workflowUrl: "https://app.test/wf",
        workflowState: "RUN_FAILED",
        workflowRunCreatedAt: START + 2000,
        workflowRunCompletedAt: START + 2000,
        labels: ["eu"],
        stepCount: 0,
        error: { name: "Error", message: "card declined" },
        dlqId: expect.stringMatching(/^\d+-\d+$/),
      },
      expect.objectContaining({ workflowRunId: "wfr_a2", workflowState: "RUN_SUCCESS", stepCount: 2 }),
      expect.objectContaining({ workflowRunId: "wfr_a1", labels: ["eu", "all"], stepCount: 2 }),
    ]);
  });

  it("comes in pages", async () => {
    const w = await filled();
    const first = await list(w, "?count=3");
    expect(idsOf(first)).toEqual(["wfr_c1", "wfr_b1", "wfr_a2"]);
    const second = await list(w, `?count=3&cursor=${first.cursor}`);
    expect([idsOf(second), second.cursor]).toEqual([["wfr_a1"], undefined]);
  });

  it.each([
    ["state=RUN_STARTED,RUN_FAILED", ["wfr_c1", "wfr_b1"]],
    ["label=eu", ["wfr_b1", "wfr_a1"]],
    ["idPrefix=wfr_a", ["wfr_a2", "wfr_a1"]],
    ["idPrefix=wfr_a1&idPrefix=wfr_c", ["wfr_c1", "wfr_a1"]],
    ["idPrefix=WFR_A", []],
    ["workflowRunId=wfr_a", []],
    ["flowControlKey=k", ["wfr_c1"]],
    [`workflowUrl=${OTHER}`, []],
    [`fromDate=${START + 1000}&toDate=${START + 2000}`, ["wfr_b1", "wfr_a2"]],
    ["excludeState=RUN_SUCCESS", ["wfr_c1", "wfr_b1"]],
    ["excludeLabel=eu", ["wfr_c1", "wfr_a2"]],
    ["excludeLabel=us&excludeLabel=eu", ["wfr_c1"]],
    ["excludeIdPrefix=wfr_a,wfr_b", ["wfr_c1"]],
    [`excludeWorkflowUrl=${OTHER}`, ["wfr_c1", "wfr_b1", "wfr_a2", "wfr_a1"]],
    ["excludeWorkflowUrl=https://app.test/wf", []],
    ["label=eu&excludeState=RUN_FAILED", ["wfr_a1"]],
  ])("is filtered by %s, and so are the counts", async (query, ids) => {
    const w = await filled();
    expect(idsOf(await list(w, `?${query}`))).toEqual(ids);
    expect((await w.ask("GET", `/v2/workflows/counts?${query}`)).body.total).toBe(ids.length);
  });

  it.each([
    ["idPrefix=", "idPrefix"],
    ["excludeState=DONE", "excludeState"],
    ["state=STEP_FAILED", "state"],
    ["excludeLabel=a,,b", "excludeLabel"],
    ["cursor=!!", "cursor"],
    ["label[]=x", "label[]"],
  ])("refuses %s", async (query, named) => {
    const answer = await world().ask("GET", `/v2/workflows/runs?${query}`);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(named) } });
  });

  it("counts runs by their states", async () => {
    const w = await filled();
    expect((await w.ask("GET", "/v2/workflows/counts")).body).toEqual({
      total: 4,
      states: { RUN_STARTED: 1, RUN_SUCCESS: 2, RUN_FAILED: 1, RUN_CANCELED: 0 },
    });
  });
});

describe("an action on all runs that match", () => {
  const bulk = async (w: World, path: string): Promise<ReturnType<typeof JSON.parse>> =>
    (await w.ask("POST", `/v2/workflows/bulk/${path}`)).body;
  const counts = async (w: World): Promise<Record<string, number>> =>
    (await w.ask("GET", "/v2/workflows/counts")).body.states;

  it("says first how many it would change, and changes none", async () => {
    const w = await filled();
    const before = await counts(w);
    expect(await bulk(w, "cancel?all=true&dryRun=true")).toEqual({ dryRun: true, matched: 1 });
    expect(await bulk(w, "resume?label=eu&dryRun=true")).toEqual({ dryRun: true, matched: 1 });
    expect(await bulk(w, "restart?label=us&dryRun=true")).toEqual({ dryRun: true, matched: 0 });
    expect(await bulk(w, "resume?state=RUN_SUCCESS&dryRun=true")).toEqual({ dryRun: true, matched: 0 });
    expect(await counts(w)).toEqual(before);
  });

  it("cancels live runs only", async () => {
    const w = await filled();
    expect(await bulk(w, "cancel?excludeLabel=us")).toEqual({ dryRun: false, changed: 1 });
    expect(await counts(w)).toEqual({ RUN_STARTED: 0, RUN_SUCCESS: 2, RUN_FAILED: 1, RUN_CANCELED: 1 });
  });

  it.each(["resume", "restart"])("%ss failed runs with the options of the request", async (action) => {
    const w = await filled();
    const answer = await w.ask("POST", `/v2/workflows/bulk/${action}?label=eu`, {
      headers: { [HEADER.retries]: "0", [HEADER.label]: "again" },
    });
    expect(answer.body).toEqual({ dryRun: false, changed: 1 });
    expect(idsOf(await list(w, "?label=again"))).toHaveLength(1);
    expect(await bulk(w, `${action}?label=eu&dryRun=true`)).toEqual({ dryRun: true, matched: 0 });
  });

  it("goes on where the request before it has ended", async () => {
    const w = world(() => ok());
    for (let at = 0; at < 230; at++) await w.start(`wfr_${at}`, { [HEADER.delay]: "1d" });
    expect(await bulk(w, "cancel?all=true&dryRun=true")).toEqual({ dryRun: true, matched: 230 });
    const changed: number[] = [];
    for (let cursor: string | undefined = ""; cursor !== undefined; ) {
      const part = await bulk(w, `cancel?all=true${cursor === "" ? "" : `&cursor=${cursor}`}`);
      changed.push(part.changed);
      cursor = part.cursor;
    }
    expect(changed).toEqual([100, 100, 30]);
    expect((await counts(w)).RUN_CANCELED).toBe(230);
  });

  it.each(["cancel", "resume", "restart"])("%s: refuses to change every run by mistake", async (action) => {
    const w = await filled();
    for (const query of ["", "?dryRun=true", "?all=false"]) {
      const answer = await w.ask("POST", `/v2/workflows/bulk/${action}${query}`);
      expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining("all=true") } });
    }
  });

  it("is not for a token that only reads", async () => {
    const w = world(undefined, { readOnlyTokens: ["reads"] });
    const answer = await w.ask("POST", "/v2/workflows/bulk/cancel?all=true&dryRun=true", { token: "reads" });
    expect(answer.status).toBe(403);
  });
});

it("answers as it is described", async () => {
  const w = await filled();
  const { ask, missing } = checked(w, await describedApi());
  await ask("GET", "/v2/workflows/runs");
  await ask("GET", "/v2/workflows/counts");
  for (const action of ["restart", "resume", "cancel"]) {
    await ask("POST", `/v2/workflows/bulk/${action}?all=true&dryRun=true`);
    await ask("POST", `/v2/workflows/bulk/${action}?all=true`);
  }
  expect(missing("workflows").filter((name) => /bulk|counts|GET .*runs$/.test(name))).toEqual([]);
});
