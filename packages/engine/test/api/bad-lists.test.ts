import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { createEngine } from "../../src/index.ts";
import { failed, type World, world } from "../harness.ts";
import { useCountingStore } from "../store/counting.ts";

/** What else than values of the wrong kind no list takes, and what the answer must name. */
const COMMON = [
  ["Label=x", "Label"],
  ["count=1&count=2", "count"],
  ["fromDate=2030-01-01", "fromDate"],
  ["cursor=!!", "cursor"],
  ["cursor=MA", "cursor"],
  ["cursor=MQ==", "cursor"],
  ["label=a,,b", "label"],
  ["flowControlKey=,", "flowControlKey"],
] as const;

const LOGS = [...COMMON, ["state=delivered", "state"], ["dlqIds=x", "dlqIds"], ["api=x", "api"]] as const;

const DLQ = [
  ...COMMON,
  ["dlqIds=a&dlqIds=", "dlqIds"],
  ["dlqIds=a&nonsense=1", "nonsense"],
  ["responseStatus=500,x", "responseStatus"],
  ["host=a.test", "host"],
  ["state=FAILED", "state"],
] as const;

const RUNS = [
  ...COMMON,
  ["workflowRuns=@5", "workflowRuns"],
  ["workflowRuns=wfr_1@soon", "workflowRuns"],
  ["workflowRuns=wfr_1@5,wfr_2", "workflowRuns"],
  ["state=RUN_FAILED,STEP_FAILED", "state"],
] as const;

const SUMMARIES = [
  ...COMMON,
  ["state=STEP_FAILED", "state"],
  ["excludeState=x", "excludeState"],
  ["idPrefix=", "idPrefix"],
] as const;

const tables = [
  ["GET /v2/logs", LOGS],
  ["DELETE /v2/dlq", DLQ],
  ["GET /v2/workflows/logs", RUNS],
  ["GET /v2/workflows/runs", SUMMARIES],
] as const;

/** All that the engine knows, to see that nothing of it has changed. */
async function state(w: World): Promise<unknown> {
  const lists = ["/v2/dlq", "/v2/logs", "/v2/workflows/logs"];
  return Promise.all(lists.map(async (path) => (await w.ask("GET", path)).body));
}

async function filled(): Promise<World> {
  const w = world(() => failed(500, "boom"));
  const once = { [HEADER.retries]: "0", "Upstash-Failure-Callback-Retries": "0" };
  await w.ask("POST", "/v2/publish/https://a.test/", { headers: { [HEADER.retries]: "0" } });
  await w.start("wfr_1", once);
  await w.engine.idle();
  return w;
}

describe.each(tables)("%s", (route, table) => {
  const [method, path] = route.split(" ") as [string, string];

  it("refuses what it can't read: it names the parameter, and does nothing", async () => {
    const w = await filled();
    const before = await state(w);
    for (const [query, named] of table) {
      const { status, body } = await w.ask(method, `${path}?${query}`);
      expect({ query, status, error: body.error }).toEqual({
        query,
        status: 400,
        error: expect.stringContaining(named),
      });
    }
    expect(await state(w)).toEqual(before);
  });
});

describe("the body of DELETE /v2/dlq", () => {
  it("may name very many", async () => {
    const w = await filled();
    const [{ dlqId }] = await w.deadLetters();
    const none = Array.from({ length: 50_000 }, (_, at) => `${at}-none`);
    const deleteAll = (dlqIds: string[]) => w.ask("DELETE", "/v2/dlq", { body: JSON.stringify({ dlqIds }) });
    expect(await deleteAll([...none, dlqId])).toMatchObject({
      status: 413,
      body: { error: expect.stringContaining("more than 50000 values") },
    });
    expect((await deleteAll([...none.slice(0, 40_000), dlqId])).body).toEqual({ deleted: 1 });
  });
});

it.each([
  ["GET", "/v2/dlq/none"],
  ["DELETE", "/v2/dlq/none"],
  ["POST", "/v2/dlq/retry/none"],
  ["GET", `/v2/dlq/${"x".repeat(5000)}`],
  ["GET", "/v2/dlq/%00"],
  ["POST", "/v2/dlq/retry/%F0%9F"],
])("%s %s finds nothing, and says so", async (method, path) => {
  const { status, body } = await world().ask(method, path);
  expect({ status, body }).toEqual({ status: 404, body: { error: expect.stringContaining("not found") } });
});

it.each([
  ["POST", "/v2/logs", "GET"],
  ["DELETE", "/v2/events", "GET"],
  ["GET", "/v2/dlq/retry", "POST"],
  ["PUT", "/v2/dlq", "GET, DELETE"],
])("%s %s is not a way to ask", async (method, path, allowed) => {
  const { status, headers } = await world().ask(method, path);
  expect({ status, allowed: headers.get("allow") }).toEqual({ status: 405, allowed });
});

const counting = useCountingStore();

it.each([
  ["GET", "/v2/logs", "label=a"],
  ["GET", "/v2/dlq", "failureFunctionState=CALLBACK_FAIL"],
  ["DELETE", "/v2/workflows/runs", "workflowUrl=https://none.test/"],
])("%s %s takes very many values, in as many statements as one", async (method, path, pair) => {
  const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
  const engine = createEngine({ store: counting.store, token, signingKeys: { current, next } });
  const headers = { Authorization: `Bearer ${token}` };
  const statements = (values: number) =>
    counting.statementsOf(async () => {
      const url = `http://engine.test${path}?${Array(values).fill(pair).join("&")}`;
      expect((await engine.fetch(new Request(url, { method, headers }))).status).toBe(200);
    });
  const forOne = await statements(1);
  expect(forOne).toBeGreaterThan(0);
  expect(await statements(60_000)).toBe(forOne);
});
