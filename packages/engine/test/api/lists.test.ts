import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { failed, START, sequence, type World, world } from "../harness.ts";

const logs = async (w: World, query: string): Promise<ReturnType<typeof JSON.parse>> =>
  (await w.ask("GET", `/v2/workflows/logs${query}`)).body;
const idsOf = (page: { runs: { workflowRunId: string }[] }): string[] =>
  page.runs.map((run) => run.workflowRunId);

describe("the list of runs", () => {
  const many = async (count: number): Promise<World> => {
    const w = world(sequence(0));
    for (let at = 0; at < count; at++) {
      const failing = at % 2 === 1;
      await w.start(`wfr_${at}`, {
        [HEADER.label]: `l${at},all`,
        ...(failing ? { [HEADER.delay]: "1d" } : {}),
      });
      await w.engine.idle();
      w.clock.advance(1000);
    }
    return w;
  };

  it("comes in pages, the newest first", async () => {
    const w = await many(5);
    const first = await logs(w, "?count=2");
    expect(idsOf(first)).toEqual(["wfr_4", "wfr_3"]);
    const second = await logs(w, `?count=2&cursor=${first.cursor}`);
    expect(idsOf(second)).toEqual(["wfr_2", "wfr_1"]);
    const third = await logs(w, `?count=2&cursor=${second.cursor}`);
    expect(third).toEqual({ runs: [expect.objectContaining({ workflowRunId: "wfr_0" })] });
  });

  it("has ten on a page", async () => {
    const w = await many(11);
    expect((await logs(w, "")).runs).toHaveLength(10);
    expect((await logs(w, "?count=1000&cursor=")).runs).toHaveLength(11);
  });

  it.each([
    ["workflowRunId=wfr_1&workflowRunId=wfr_2", ["wfr_2", "wfr_1"]],
    ["workflowRunId=wfr_1,wfr_0", ["wfr_1", "wfr_0"]],
    ["workflowUrl=https://app.test/wf", ["wfr_3", "wfr_2", "wfr_1", "wfr_0"]],
    ["workflowUrl=https://app.test/", []],
    ["state=RUN_SUCCESS", ["wfr_2", "wfr_0"]],
    ["state=RUN_STARTED,RUN_FAILED", ["wfr_3", "wfr_1"]],
    ["label=l1", ["wfr_1"]],
    ["label=l1&label=l3", ["wfr_3", "wfr_1"]],
    ["label=l", []],
    ["label=all&state=RUN_SUCCESS", ["wfr_2", "wfr_0"]],
    [`workflowCreatedAt=${START + 1000}`, ["wfr_1"]],
    [`fromDate=${START + 1000}&toDate=${START + 2000}`, ["wfr_2", "wfr_1"]],
    ["groupBy=workflowRunId&label=l0", ["wfr_0"]],
  ])("is filtered by %s", async (query, ids) => {
    expect(idsOf(await logs(await many(4), `?${query}`))).toEqual(ids);
  });

  it.each([
    ["workflowRunID=x", "workflowRunID"],
    ["state=DONE", "state"],
    ["groupBy=messageId", "groupBy"],
    ["count=0", "count"],
    ["count=x", "count"],
    ["fromDate=yesterday", "fromDate"],
    ["cursor=zzz", "cursor"],
  ])("refuses %s", async (query, named) => {
    const answer = await world().ask("GET", `/v2/workflows/events?${query}`);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(named) } });
  });
});

describe("the list of dead letters", () => {
  const letters = async (): Promise<World> => {
    const w = world((call) =>
      call.url.endsWith("teapot") ? new Response("", { status: 418 }) : failed(500, "x"),
    );
    await w.start("wfr_1", { [HEADER.retries]: "0", [HEADER.label]: "run" });
    await w.engine.idle();
    w.clock.advance(1000);
    for (const name of ["teapot", "kettle"]) {
      await w.ask("POST", `/v2/publish/https://a.test/${name}`, {
        headers: { [HEADER.retries]: "0", [HEADER.label]: name },
      });
      await w.engine.idle();
      w.clock.advance(1000);
    }
    return w;
  };

  it.each([
    ["", ["kettle", "teapot", "wf"]],
    ["source=workflow", ["wf"]],
    ["workflowRunId=wfr_1", ["wf"]],
    ["workflowUrl=https://app.test/wf", ["wf"]],
    [`workflowCreatedAt=${START}`, ["wf"]],
    ["url=https://a.test/teapot", ["teapot"]],
    ["label=teapot,run", ["teapot", "wf"]],
    ["responseStatus=500", ["kettle", "wf"]],
    ["responseStatus=418", ["teapot"]],
    [`fromDate=${START + 1000}&toDate=${START + 1000}`, ["teapot"]],
    ["failureFunctionState=CALLBACK_FAIL", ["wf"]],
    ["failureFunctionState=CALLBACK_SUCCESS,CALLBACK_CANCELED,CALLBACK_INPROGRESS", []],
    ["messageId=msg_none", []],
    ["dlqIds=none&label=kettle", []],
  ])("is filtered by %s", async (query, names) => {
    const found = await (await letters()).deadLetters(`?${query}`);
    expect(found.map(({ url }) => url.split("/").at(-1))).toEqual(names);
  });

  it("finds entries by their ids, and pages", async () => {
    const w = await letters();
    const page = (await w.ask("GET", "/v2/dlq?count=2")).body;
    expect(page.messages).toHaveLength(2);
    const rest = (await w.ask("GET", `/v2/dlq?count=2&cursor=${page.cursor}`)).body;
    expect(rest).toEqual({ messages: [expect.objectContaining({ workflowRunId: "wfr_1" })] });
    const { dlqId } = rest.messages[0];
    expect(dlqId).toMatch(/^\d+-\d+$/);
    expect(await w.deadLetters(`?dlqIds=${dlqId}`)).toEqual(rest.messages);
  });

  it.each(["host=x", "source=qstash", "failureFunctionState=SAD", "responseStatus=five"])(
    "refuses %s",
    async (query) => {
      expect((await world().ask("GET", `/v2/dlq?${query}`)).status).toBe(400);
    },
  );
});
