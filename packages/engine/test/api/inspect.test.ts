import { HEADER, PERSON_HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { groupOf, patternOf } from "../../src/rules/fingerprint.ts";
import { checked, describedApi } from "../described.ts";
import {
  decode,
  failed,
  historyOf,
  isFailure,
  ok,
  result,
  runIdOf,
  START,
  type World,
  world,
} from "../harness.ts";
import { fails, inline, key, sleeps, waits } from "../inline/invocation.ts";
import { waitStep, workflow } from "../steps.ts";

const ONCE = { [HEADER.retries]: "0" };
const get = async (w: World, path: string): Promise<ReturnType<typeof JSON.parse>> =>
  (await w.ask("GET", path)).body;
const post = (w: World, path: string, body?: object) =>
  w.ask("POST", path, body ? { body: JSON.stringify(body) } : {});

describe("groups of dead letters", () => {
  it.each([
    ["no order 4711", "no order #"],
    ["user ann@example.com not found", "user # not found"],
    ['can\'t read "a b" at https://a.test/x?y=1', "can't read # at #"],
    ["run wfr_2f-7 took 3.5s", "run # took #s"],
    ["id 0b6f9d6e-0c8b-4f7e-9a55-2f1f5b3d9c11\n  gone", "id # gone"],
    ["plain words stay", "plain words stay"],
  ])("%s is %s", (message, pattern) => expect(patternOf(message)).toBe(pattern));

  it("differ by the error's name, the step and the URL", () => {
    const failure = (name: string) => {
      const body = new TextEncoder().encode(JSON.stringify({ error: name, message: "x 1" }));
      return { at: 0, error: "x", byEngine: false, reply: { status: 500, headers: {}, body } };
    };
    const { fingerprint } = groupOf(failure("Error"), "https://a.test/");
    expect(groupOf(failure("Error"), "https://a.test/").fingerprint).toBe(fingerprint);
    expect(groupOf(failure("TypeError"), "https://a.test/").fingerprint).not.toBe(fingerprint);
    expect(groupOf(failure("Error"), "https://b.test/").fingerprint).not.toBe(fingerprint);
  });

  it("are counted, and resumed together", async () => {
    const w = world((call) =>
      isFailure(call) ? ok() : failed(500, runIdOf(call) === "wfr_3" ? "other" : `no order ${runIdOf(call)}`),
    );
    for (const id of ["wfr_1", "wfr_2", "wfr_3"]) {
      await w.start(id, ONCE);
      await w.engine.idle();
      w.clock.advance(1000);
    }
    const { groups } = await get(w, "/v2/workflows/dlq/groups");
    expect(groups).toMatchObject([
      { errorName: "Error", message: "other", count: 1, workflowRunId: "wfr_3" },
      {
        message: "no order #",
        count: 2,
        firstSeen: START,
        lastSeen: START + 1000,
        workflowRunId: "wfr_2",
        workflowUrl: "https://app.test/wf",
      },
    ]);
    const first = await get(w, "/v2/workflows/dlq/groups?count=1");
    expect((await get(w, `/v2/workflows/dlq/groups?count=1&cursor=${first.cursor}`)).groups).toEqual([
      groups[1],
    ]);
    const alike = await get(w, `/v2/workflows/dlq?fingerprint=${groups[1].fingerprint}`);
    expect(alike.messages).toHaveLength(2);
    const resumed = await post(w, `/v2/workflows/dlq/resume?fingerprint=${groups[1].fingerprint}`);
    expect(resumed.body.workflowRuns).toHaveLength(2);
  });
});

describe("what waits", () => {
  it("are the steps that wait for events, by event, run and URL", async () => {
    const w = world(workflow(waitStep("approval")));
    await w.start("wfr_1");
    await w.start("wfr_2");
    await w.engine.idle();
    expect((await get(w, "/v2/workflows/waiters?workflowRunId=wfr_2")).waiters).toEqual([
      {
        eventId: "approval",
        stepName: "step1",
        webhook: false,
        workflowRunId: "wfr_2",
        workflowUrl: "https://app.test/wf",
        workflowRunCreatedAt: START,
        createdAt: START,
        deadline: START + 3_600_000,
      },
    ]);
    expect((await get(w, "/v2/workflows/waiters?eventId=approval&count=1")).cursor).toBeDefined();
    expect((await get(w, "/v2/workflows/waiters?eventId=other")).waiters).toEqual([]);
  });

  it("are the messages of a queue in their order", async () => {
    const w = world(() => ok());
    await post(w, "/v2/queues", { queueName: "q", paused: true });
    for (const at of [1, 2]) await post(w, `/v2/enqueue/q/https://a.test/${at}`);
    await w.ask("POST", "/v2/publish/https://a.test/later", { headers: { [HEADER.delay]: "1h" } });
    expect((await get(w, "/v2/workflows/pending?queueName=q")).messages).toMatchObject([
      { url: "https://a.test/1", status: "queued", queueName: "q", attempt: 1, kind: "message" },
      { url: "https://a.test/2", status: "queued" },
    ]);
    expect((await get(w, "/v2/workflows/pending?status=scheduled")).messages).toMatchObject([
      { url: "https://a.test/later", at: START + 3_600_000 },
    ]);
  });
});

describe("a run is hurried:", () => {
  it("its sleeps end, inline", async () => {
    const w = world(
      inline((run) =>
        run.nth === 1 ? run.park(sleeps(1, START + 9e6), sleeps(2, START + 9e6)) : run.returned("up"),
      ),
    );
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await post(w, "/v2/workflows/runs/wfr_1/wake", { stepName: "step1" })).body).toEqual({
      woken: 1,
    });
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
    expect((await post(w, "/v2/workflows/runs/wfr_1/wake")).status).toBe(400);
  });

  it("its sleeps end, without inline execution", async () => {
    const w = world(async (call, self) => {
      if (historyOf(call).length > 1) await self.end("wfr_1");
      else
        await self.append("wfr_1", [result(1, { stepType: "SleepFor", sleepFor: 3600 })], {
          [HEADER.delay]: "1h",
        });
      return ok();
    });
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await post(w, "/v2/workflows/runs/wfr_1/wake", { stepName: "other" })).status).toBe(400);
    expect((await post(w, "/v2/workflows/runs/wfr_1/wake")).body).toEqual({ woken: 1 });
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("its retries begin, of deliveries and of inline steps", async () => {
    const w = world((call) => (call.at === START && w.calls.length === 1 ? failed(500, "boom") : ok()));
    await w.start("wfr_1", { [HEADER.retryDelay]: "3600000" });
    await w.engine.idle();
    expect((await post(w, "/v2/workflows/runs/wfr_1/retry")).body).toEqual({ retried: 1 });
    await w.engine.idle();
    expect(w.calls.length).toBeGreaterThan(1);
    const steps = world(
      inline((run) =>
        run.nth === 1
          ? run.park(fails(key("pay"), 1, { retries: 4, delayMs: 3_600_000 }))
          : run.returned(run.attempts[0]?.retryAt),
      ),
    );
    await steps.start("wfr_1");
    await steps.engine.idle();
    expect((await post(steps, "/v2/workflows/runs/wfr_1/retry")).body).toEqual({ retried: 1 });
    await steps.engine.idle();
    expect((await steps.run("wfr_1")).workflowRunResponse).toBe(String(START));
    expect((await post(steps, "/v2/workflows/runs/wfr_1/retry")).status).toBe(400);
    expect((await post(steps, "/v2/workflows/runs/wfr_x/retry")).status).toBe(404);
  });

  it("its retries are counted once when the delivery failed with the step", async () => {
    const w = world(inline((run) => (run.nth === 1 ? run.failed(key("pay")) : run.returned("paid"))));
    await w.start("wfr_1", { [HEADER.retryDelay]: "3600000" });
    await w.engine.idle();
    expect((await post(w, "/v2/workflows/runs/wfr_1/retry")).body).toEqual({ retried: 1 });
    await w.engine.idle();
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });
});

it("a run is resumed with another payload, and another result of a step", async () => {
  const seen: unknown[] = [];
  const w = world(async (call, self) => {
    if (isFailure(call)) return ok();
    const history = historyOf(call).map(({ body }) => decode(body));
    if (history.length === 1) await self.append(runIdOf(call), [result(1)]);
    else if (runIdOf(call) === "wfr_1") return failed(500, "boom");
    else {
      seen.push(history[0], JSON.parse(history[1] ?? "{}").out);
      await self.end(runIdOf(call));
    }
    return ok();
  });
  await w.start("wfr_1", ONCE);
  await w.engine.idle();
  const [{ dlqId }] = await w.deadLetters();
  const missing = { results: [{ stepId: 7, result: 1 }] };
  expect((await post(w, `/v2/workflows/dlq/resume/${dlqId}`, missing)).status).toBe(404);
  expect((await post(w, `/v2/workflows/dlq/restart/${dlqId}`, missing)).status).toBe(400);
  const edits = { payload: '{"order":8}', results: [{ stepId: 1, result: { mended: true } }] };
  expect((await post(w, `/v2/workflows/dlq/resume/${dlqId}`, edits)).status).toBe(200);
  await w.engine.idle();
  expect(seen).toEqual(['{"order":8}', '{"mended":true}']);
});

it("numbers over time tell of runs, attempts and lag", async () => {
  const w = world((call) => (runIdOf(call) === "wfr_2" ? failed(489, "boom") : ok()));
  await w.start("wfr_1", { [HEADER.delay]: "1d" });
  w.clock.advance(120_000);
  await w.start("wfr_2", ONCE);
  await w.engine.idle();
  const { buckets, now, bucket } = await get(w, `/v2/workflows/numbers?fromDate=${START}`);
  expect(bucket).toBe(60_000);
  expect(buckets).toMatchObject([
    { time: START, started: 1, failed: 0 },
    { time: START + 60_000, started: 0 },
    { time: START + 120_000, started: 1, failed: 1, failedAttempts: expect.any(Number), maxLag: 0 },
  ]);
  expect(now).toMatchObject({ live: 1, waiting: 1, deadLetters: 1, lag: 0 });
  expect((await w.ask("GET", "/v2/workflows/numbers?fromDate=1&bucket=1")).status).toBe(400);
});

it("the audit log tells who has changed what, and not what endpoints do or what was refused", async () => {
  const w = world(() => ok(), { readOnlyTokens: ["reads"] });
  await w.start("wfr_1", { [HEADER.delay]: "1d" });
  await w.start("wfr_2", { [HEADER.delay]: "1d" });
  await w.end("wfr_2");
  await post(w, "/v2/workflows/bulk/cancel?all=true&dryRun=true");
  await w.ask("DELETE", "/v2/workflows/runs/wfr_1", { token: "reads" });
  await post(w, "/v2/workflows/runs/wfr_1/wake");
  await w.ask("DELETE", "/v2/workflows/runs/wfr_1");
  w.clock.advance(1000);
  await post(w, "/v2/workflows/bulk/cancel?label=x");
  const { entries } = await get(w, "/v2/workflows/audit");
  expect(entries).toEqual([
    {
      time: START + 1000,
      actor: expect.stringMatching(/^token [0-9a-f]{3}$/),
      action: "POST /v2/workflows/bulk/cancel",
      target: "?label=x",
      callerIp: "127.0.0.1",
    },
    expect.objectContaining({ time: START, action: "DELETE /v2/workflows/runs/:id", target: "wfr_1" }),
  ]);
  expect((await get(w, "/v2/workflows/audit?target=wfr_1")).entries).toHaveLength(1);
});

it("the audit log names the person of a request, and then tells of new runs and events, too", async () => {
  const w = world(() => ok());
  const headers = { [PERSON_HEADER]: "J%C3%BCrgen" };
  await w.ask("POST", "/v2/trigger/https://app.test/wf", { headers: { [HEADER.delay]: "1d", ...headers } });
  await w.ask("POST", "/v2/notify/paid", { headers: { [PERSON_HEADER]: "100%" } });
  await w.ask("GET", "/v2/queues", { headers });
  await post(w, "/v2/queues", { queueName: "mails" });
  await w.ask("POST", "/v2/batch", {
    headers,
    body: JSON.stringify(["a", "b"].map((name) => ({ destination: `https://app.test/${name}` }))),
  });
  const { entries } = await get(w, "/v2/workflows/audit");
  expect(entries).toMatchObject([
    { person: "Jürgen", action: "POST /v2/batch", target: "https://app.test/a, https://app.test/b" },
    { action: "POST /v2/queues", target: "mails" },
    { person: "100%", action: "POST /v2/notify/:eventId", target: "paid" },
    { person: "Jürgen", action: "POST /v2/trigger/:destination" },
  ]);
  expect((await get(w, "/v2/workflows/audit?person=100%25")).entries).toHaveLength(1);
});

it("answers as it is described", async () => {
  const w = world(
    inline((run) =>
      run.nth === 1
        ? run.park(sleeps(1, START + 9e6), waits(run.runId, 2, "go"), fails(key("s"), 1))
        : run.park(),
    ),
  );
  await w.start("wfr_1");
  await w.engine.idle();
  const { ask, missing } = checked(w, await describedApi());
  for (const path of ["waiters", "pending", "numbers", "audit", "dlq/groups"])
    await ask("GET", `/v2/workflows/${path}`);
  await ask("GET", "/v2/dlq/groups");
  await ask("POST", "/v2/workflows/runs/wfr_1/retry");
  await w.engine.idle();
  await ask("POST", "/v2/workflows/runs/wfr_1/wake");
  expect(
    missing("workflows").filter((name) => /waiters|pending|numbers|audit|groups|wake|\}\/retry/.test(name)),
  ).toEqual([]);
});
