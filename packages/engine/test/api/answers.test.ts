import { HEADER } from "@perdure/core/protocol";
import { beforeAll, describe, expect, it } from "vitest";
import type { OpenApi } from "../../src/http/document.ts";
import { checked, describedApi } from "../described.ts";
import {
  APP,
  type Endpoint,
  failed,
  isFailure,
  OWN_TOKEN,
  ofRun,
  ok,
  result,
  runIdOf,
  SDK,
  type World,
  world,
} from "../harness.ts";
import {
  app,
  CHILD,
  callStep,
  createHook,
  invokeStep,
  runStep,
  THIRD,
  waitStep,
  workflow,
} from "../steps.ts";

const GOOD = "https://a.test/good";
const BAD = "https://a.test/bad";
const ALL = {
  [HEADER.label]: "one,two",
  [HEADER.retryDelay]: "1000",
  [HEADER.flowControlKey]: "key",
  [HEADER.flowControlValue]: "rate=100,parallelism=50,period=1m",
  [HEADER.failureCallback]: "https://a.test/told",
  "Upstash-Failure-Callback-Forward-X": "y",
  "Upstash-Forward-X": "y",
  "Content-Type": "text/plain",
};
/** Operations whose answers other tests compare with their description. */
const ELSEWHERE =
  /workflows\/(?:dlq|bulk|counts|access|waiters|pending|numbers|audit|stream)|(?:overview|steps|wake|retry)$|GET \/v2\/workflows\/runs$/;
const FINAL = { [HEADER.retries]: "0" };
const LATER = { [HEADER.delay]: "1h" };

let api: OpenApi;
beforeAll(async () => {
  api = await describedApi();
});

const json = (value: object): { body: string } => ({ body: JSON.stringify(value) });

const fail = (count: number, w: World): Promise<unknown> =>
  Promise.all(
    Array.from({ length: count }, () =>
      w.ask("POST", `/v2/publish/${BAD}`, { headers: { ...ALL, ...FINAL } }),
    ),
  ).then(() => w.drain());

describe("every answer is as it is described", () => {
  it("of messages", async () => {
    const w = world((call) => (call.url === BAD ? failed(500, "boom") : ok()));
    const { ask, missing } = checked(w, api);
    const headers = { ...ALL, ...LATER };
    const { messageId } = (await ask("POST", `/v2/publish/${GOOD}?x=1`, { headers, body: "text" })).body;
    await ask("GET", `/v2/messages/${messageId}`);
    await ask("DELETE", `/v2/messages/${messageId}`);
    await ask("DELETE", `/v2/messages/${messageId}`);
    await ask("POST", "/v2/publish/nowhere");
    await ask("POST", `/v2/publish/${GOOD}`, { token: null });
    const items = [{ destination: GOOD, headers: null, body: null }, { destination: "x" }];
    await ask("POST", "/v2/batch", json(items));
    await ask("POST", "/v2/batch", { body: "{" });
    await ask("POST", `/v2/enqueue/q/${GOOD}`, { headers: ALL });
    await w.ask("POST", `/v2/publish/${BAD}`, {
      headers: { ...ALL, ...FINAL },
      body: new Uint8Array([255, 0]),
    });
    await w.drain();
    await ask("GET", "/v2/events");
    await ask("GET", "/v2/logs?state=ERROR&count=1");
    await ask("DELETE", "/v2/messages?label=none");
    await ask("POST", "/v2/batch/trigger", json([{ destination: GOOD }, { destination: "x" }]));
    expect(missing("messages", "publish", "enqueue", "batch", "events", "logs")).toEqual([]);
  });

  it("of dead letters", async () => {
    const w = world((call) => (call.url === BAD ? failed(500, "boom") : ok()));
    const { ask, missing } = checked(w, api);
    await fail(4, w);
    const [first, second] = (await ask("GET", "/v2/dlq?label=one&count=2")).body.messages;
    await ask("GET", `/v2/dlq/${first.dlqId}`);
    await ask("DELETE", `/v2/dlq/${first.dlqId}`);
    await ask("GET", `/v2/dlq/${first.dlqId}`);
    await ask("POST", `/v2/dlq/retry/${second.dlqId}`);
    await ask("POST", "/v2/dlq/retry?count=1");
    await ask("GET", "/v2/dlq?nothing=1");
    await ask("DELETE", "/v2/dlq?count=1");
    await ask("DELETE", "/v2/dlq");
    expect(missing("dlq").filter((name) => !name.endsWith("/groups"))).toEqual([]);
  });

  it("of keys", async () => {
    const { ask, missing } = checked(world(), api);
    await ask("GET", "/v2/keys");
    await ask("POST", "/v2/keys/rotate", { token: OWN_TOKEN });
    await ask("GET", "/v2/keys", { token: "x" });
    expect(missing("keys")).toEqual([]);
  });

  it("of what messages are governed by", async () => {
    const w = world(() => ok());
    const { ask, missing } = checked(w, api);
    await w.ask("POST", `/v2/publish/${GOOD}`, { headers: { ...ALL, ...LATER } });
    await settings(ask);
    expect(missing("queues", "schedules", "topics", "flowControl", "globalParallelism")).toEqual([]);
  });
});

async function settings(ask: World["ask"]): Promise<void> {
  await ask("POST", "/v2/queues", json({ queueName: "q", parallelism: 2 }));
  for (const path of ["/v2/queues", "/v2/queues/q", "/v2/queues/none"]) await ask("GET", path);
  for (const verb of ["pause", "resume"]) await ask("POST", `/v2/queues/q/${verb}`);
  await ask("DELETE", "/v2/queues/q");
  const headers = { ...ALL, "Upstash-Cron": "* * * * *", "Upstash-Schedule-Id": "s" };
  await ask("POST", `/v2/schedules/${GOOD}`, { headers, body: "x" });
  for (const path of ["/v2/schedules", "/v2/schedules/s", "/v2/schedules/none"]) await ask("GET", path);
  for (const method of ["POST", "PATCH"]) {
    for (const verb of ["pause", "resume"]) await ask(method, `/v2/schedules/s/${verb}`);
  }
  await ask("DELETE", "/v2/schedules/s");
  await ask(
    "POST",
    "/v2/topics/t/endpoints",
    json({ endpoints: [{ url: GOOD, name: "one" }, { url: BAD }] }),
  );
  await ask("PATCH", "/v2/topics/t", json({ headers: { "Upstash-Retries": "1" } }));
  for (const path of ["/v2/topics", "/v2/topics/t", "/v2/topics/none"]) await ask("GET", path);
  await ask("DELETE", "/v2/topics/t/endpoints", json({ endpoints: [{ name: "one" }] }));
  await ask("DELETE", "/v2/topics/t");
  for (const path of ["/v2/flowControl", "/v2/flowControl/key", "/v2/flowControl/none"])
    await ask("GET", path);
  for (const action of [
    "pause",
    "resume",
    "pin?parallelism=1",
    "unpin?parallelism=true",
    "resetRate",
    "reset",
  ]) {
    await ask("POST", `/v2/flowControl/key/${action}`);
  }
  await ask("GET", "/v2/globalParallelism");
}

const HOOK = "/v2/workflows/hooks/u/wfr_1/hook";

describe("every answer is as it is described", () => {
  it("of runs", async () => {
    const endpoint: Endpoint = app({
      [APP]: workflow(
        createHook,
        runStep,
        callStep(),
        waitStep("event"),
        invokeStep("wfr_child"),
        waitStep("never"),
      ),
      [CHILD]: workflow(runStep),
      [THIRD]: () => ok('{"third":1}'),
    });
    const w = world(endpoint);
    const { ask, missing } = checked(w, api);
    await ask("POST", `/v2/trigger/${GOOD}`, { headers: { ...ALL, ...LATER, [HEADER.runId]: "wfr_later" } });
    await w.ask("POST", `/v2/publish/${APP}`, {
      headers: { ...ofRun("wfr_1", "true"), ...ALL },
      body: "payload",
    });
    await w.engine.idle();
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) await ask(method, HOOK, { token: null });
    await ask("POST", "/v2/workflows/hooks/u/wfr_1/none", { token: null });
    await ask("GET", "/v2/waiters/event");
    await ask("GET", "/v2/workflows/logs");
    await ask("POST", "/v2/notify/event", { body: "data" });
    await ask("POST", "/v2/notify/wfr_1/other");
    await w.engine.idle();
    await ask("GET", "/v2/workflows/runs/wfr_1");
    await ask("GET", "/v2/workflows/events?groupBy=workflowRunId&workflowRunId=wfr_1");
    const wait = { url: APP, timeout: "1h", step: result(9, { stepType: "Wait" }) };
    await ask("POST", "/v2/wait/late", { headers: ofRun("wfr_1", "false"), ...json(wait) });
    await ask("POST", "/v2/wait/late", { headers: ofRun("wfr_1", "false"), body: "{}" });
    await ask("POST", "/v2/workflows/append", json({ appends: [] }));
    await ask("GET", "/v2/workflows/runs/wfr_1/wait?timeout=0s");
    await ask("DELETE", "/v2/workflows/runs/wfr_1?cancel=false", { body: '"done"' });
    await ask("GET", "/v2/workflows/runs/wfr_1/wait?failureFunction=wait&timeout=0s");
    await ask("GET", "/v2/workflows/runs/wfr_1");
    await ask("GET", "/v2/workflows/logs?workflowRunId=wfr_1");
    await ask("GET", "/v2/workflows/urls");
    await ask("DELETE", "/v2/workflows/runs?label=one");
    expect(missing("trigger", "wait", "notify", "waiters")).toEqual([]);
    expect(missing("workflows").filter((name) => !ELSEWHERE.test(name))).toEqual([]);
  });

  it("of failed runs", async () => {
    const endpoint: Endpoint = (call) => (isFailure(call) ? told(runIdOf(call)) : failed(500, "boom"));
    let tried = 0;
    const told = (runId: string): Response => {
      if (runId === "wfr_3") return new Response("", { status: 503, headers: { "Retry-After": "60" } });
      if (runId === "wfr_1" && tried++ === 0) return notUndone(1);
      return failed(500, "no");
    };
    /** A step can't be rolled back. */
    const notUndone = (stepId: number): Response => {
      const record = { stepId, stepName: "s", stepType: "Run", state: "failed", attempts: 1 };
      return Response.json({ rollback: record }, { headers: { ...SDK, [HEADER.rollback]: "recorded" } });
    };
    const w = world(endpoint);
    const { ask, missing } = checked(w, api);
    for (let at = 1; at <= 6; at++)
      await w.start(`wfr_${at}`, {
        ...ALL,
        ...(at === 3 ? { [HEADER.retries]: "1", [HEADER.retryDelay]: "1" } : FINAL),
        // Only the workflow itself tells of rollbacks.
        ...(at === 1 ? { [HEADER.failureCallback]: APP } : {}),
      });
    await w.engine.idle();
    w.clock.advance(1);
    await w.engine.idle();
    const letters = (await ask("GET", "/v2/workflows/dlq")).body.messages as {
      dlqId: string;
      workflowRunId: string;
    }[];
    const idOf = (run: number): string =>
      letters.find(({ workflowRunId }) => workflowRunId === `wfr_${run}`)?.dlqId ?? "";
    await ask("GET", "/v2/workflows/logs");
    await ask("GET", `/v2/workflows/dlq/${idOf(1)}`);
    await ask("POST", `/v2/workflows/dlq/rollback/${idOf(1)}`);
    await ask("POST", `/v2/workflows/dlq/callback/${idOf(1)}`);
    await ask("POST", `/v2/workflows/dlq/callback?dlqIds=${idOf(2)}`);
    await ask("DELETE", `/v2/workflows/dlq/callback/${idOf(3)}`);
    await ask("POST", `/v2/workflows/dlq/callback/${idOf(3)}`);
    await ask("POST", `/v2/workflows/dlq/resume/${idOf(2)}`);
    await ask("POST", `/v2/workflows/dlq/restart/${idOf(4)}`);
    await ask("POST", `/v2/workflows/dlq/restart/none`);
    await ask("POST", `/v2/workflows/dlq/resume?dlqIds=${idOf(5)}`);
    await ask("POST", `/v2/workflows/dlq/restart?dlqIds=${idOf(6)}`);
    await ask("DELETE", `/v2/workflows/dlq/${idOf(1)}`);
    await ask("DELETE", "/v2/workflows/dlq");
    expect(
      missing("workflows").filter((name) => name.includes("/workflows/dlq") && !name.endsWith("/groups")),
    ).toEqual([]);
  });
});
