import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { NOT_AGAIN, ONCE } from "../failing.ts";
import {
  type Endpoint,
  failed,
  isFailure,
  ok,
  result,
  runIdOf,
  START,
  type World,
  world,
} from "../harness.ts";

const RUN = "wfr_1";
const recorded = (body: string): Response =>
  new Response(body, { headers: { [HEADER.sdkVersion]: "1", [HEADER.rollback]: "recorded" } });
const undone = (stepId: number, more: object = {}): string =>
  JSON.stringify({
    rollback: { stepId, stepName: `step${stepId}`, stepType: "Run", state: "done", attempts: 1, ...more },
  });

/** A run of one step that fails in its second; its report is answered with these, one after the other. */
async function fail(answers: readonly Response[]): Promise<World> {
  const left = [...answers];
  const endpoint: Endpoint = async (call, self) => {
    if (isFailure(call)) return left.shift() ?? ok("{}");
    if (call.headers.get(HEADER.init) !== "true") return failed(489, "boom", NOT_AGAIN);
    await self.append(runIdOf(call), [result(1, { rollback: true })]);
    return new Response("", { headers: { [HEADER.sdkVersion]: "1", [HEADER.capabilities]: "1" } });
  };
  const w = world(endpoint);
  await w.start(RUN, ONCE);
  await w.drain();
  return w;
}

describe("an endpoint that says that it has rolled a step back", () => {
  it("is told of it in the same report, until it says no more of it", async () => {
    const w = await fail([
      recorded(undone(1, { error: { error: "Error", message: "m", more: 1 } })),
      recorded(undone(2, { state: "failed", attempts: 3, error: { message: "stuck" } })),
      ok('{"result":1}'),
    ]);
    const reports = w.calls.filter(isFailure);
    expect(new Set(reports.map(({ headers }) => headers.get(HEADER.messageId))).size).toBe(1);
    const told = reports.map(({ text }) => JSON.parse(text).perdure);
    expect(told.map(({ rollbacks }) => rollbacks.length)).toEqual([0, 1, 2]);
    const { rollbacks, failureFunction } = await w.run(RUN);
    expect(failureFunction.state).toBe("CALLBACK_SUCCESS");
    expect(rollbacks).toEqual([
      {
        stepId: 1,
        stepName: "step1",
        stepType: "Run",
        state: "done",
        attempts: 1,
        error: expect.anything(),
        time: START,
      },
      {
        stepId: 2,
        stepName: "step2",
        stepType: "Run",
        state: "failed",
        attempts: 3,
        error: { error: "Error", message: "stuck" },
        time: START,
      },
    ]);
    // The endpoint has no use for the times.
    expect(rollbacks).toEqual(told[2].rollbacks.map((one: object) => ({ ...one, time: START })));
    expect((await w.deadLetters())[0].rollbacks).toEqual(rollbacks);
    const events = w.events.filter(({ type }) => type === "rolledBack");
    expect(events).toHaveLength(2);
  });

  it.each([
    ["no JSON", "undone"],
    ["no rollback", "{}"],
    ["null", '{"rollback":null}'],
    ["no step", undone(1, { stepId: "1" })],
    ["no kind", undone(1, { stepType: 7 })],
    ["another state", undone(1, { state: "maybe" })],
    ["no attempts", undone(1, { attempts: null })],
  ])("but not of which (%s) isn't asked again, and nothing is recorded", async (_name, body) => {
    const w = await fail([recorded(body)]);
    const { rollbacks, failureFunction } = await w.run(RUN);
    expect(rollbacks).toBeUndefined();
    expect(failureFunction).toMatchObject({
      state: "CALLBACK_FAIL",
      errors: [{ error: expect.stringContaining("a rollback without its step") }],
    });
    expect(w.calls.filter(isFailure)).toHaveLength(1);
  });

  it("again and again isn't asked for ever", async () => {
    const w = await fail(Array.from({ length: 50 }, () => recorded(undone(1))));
    expect(w.calls.filter(isFailure)).toHaveLength(2);
    expect((await w.run(RUN)).failureFunction).toMatchObject({
      state: "CALLBACK_FAIL",
      errors: [{ error: expect.stringContaining("step 1") }],
    });
  });
});

describe("POST /v2/workflows/dlq/rollback/{id}", () => {
  const repeat = (w: World, id: string) => w.ask("POST", `/v2/workflows/dlq/rollback/${id}`);

  it("has those made again that failed", async () => {
    const w = await fail([recorded(undone(1, { state: "failed" })), ok("{}")]);
    const [{ dlqId, workflowCreatedAt }] = await w.deadLetters();
    expect(await repeat(w, dlqId)).toMatchObject({
      status: 200,
      body: { workflowRunId: RUN, workflowCreatedAt },
    });
    expect((await repeat(w, dlqId)).status).toBe(400);
    await w.drain();
    expect(JSON.parse(w.calls.at(-1)?.text ?? "").perdure).toMatchObject({ only: "rollback", rollbacks: [] });
  });

  it("refuses where there are none, naming the dead letter", async () => {
    const w = await fail([recorded(undone(1))]);
    const [{ dlqId }] = await w.deadLetters();
    const { status, body } = await repeat(w, dlqId);
    expect(status).toBe(400);
    expect(body.error).toContain(dlqId);
  });

  it("knows no others", async () => {
    const w = await fail([]);
    expect((await repeat(w, "1-999")).status).toBe(404);
    expect((await w.ask("POST", "/v2/workflows/dlq/rollback/1-999", { token: null })).status).toBe(401);
    await w.ask("POST", "/v2/publish/https://app.test/plain", { headers: ONCE });
    await w.drain();
    const [plain] = await w.deadLetters();
    expect(plain.workflowRunId).toBeUndefined();
    expect((await repeat(w, plain.dlqId)).status).toBe(404);
  });
});

describe("GET /v2/workflows/runs/{id}", () => {
  it("gives the history of a run that has ended only when it is asked for that", async () => {
    const w = await fail([]);
    const path = `/v2/workflows/runs/${RUN}`;
    const { workflowRunCreatedAt } = await w.run(RUN);
    expect((await w.ask("GET", path)).status).toBe(404);
    expect((await w.ask("GET", `${path}?ended=false`)).status).toBe(404);
    expect((await w.ask("GET", `${path}?ended=true`)).body).toHaveLength(2);
    const exact = `${path}?ended=true&workflowCreatedAt=${workflowRunCreatedAt}`;
    expect((await w.ask("GET", exact)).body).toHaveLength(2);
    expect((await w.ask("GET", `${path}?ended=true&workflowCreatedAt=1`)).status).toBe(404);
  });

  it.each([
    ["ended=perhaps", "ended"],
    ["ended=true&workflowCreatedAt=yesterday", "workflowCreatedAt"],
  ])("refuses %s", async (query, named) => {
    const w = await fail([]);
    const { status, body } = await w.ask("GET", `/v2/workflows/runs/${RUN}?${query}`);
    expect(status).toBe(400);
    expect(body.error).toContain(named);
  });
});
